"""A price list: every fault at once, no day without a price, nothing free by mistake."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gaoling.city import RegisterError
from gaoling.cli import main
from gaoling.cloud.metering import Month
from gaoling.cloud.prices import read_prices

ROOT = Path(__file__).resolve().parents[2]
NOV = Month(2026, 11)
PRICES = """\
currency: CNY
versions:
  - valid_from: 2026-01-01
    valid_to: 2026-11-15
    basis: confirmed
    source: 合同 1
    prices: &prices
      vcpu_hour: 0.06
      memory_gib_hour: 0.03
      root_disk_gib_month: 0.3
      volume_gib_month: {default: 0.35, ssd: 1.2}
      object_gib_month: 0.12
      floating_ip_hour: 0.02
  - valid_from: 2026-11-16
    basis: assumed
    prices: *prices
"""


def price_list(tmp_path, text=PRICES):
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    return read_prices(path)


@pytest.mark.parametrize("city", ["jingdezhen", "lab"])
def test_a_city_s_own_price_list_is_whole_and_says_that_it_is_assumed(city):
    found = read_prices(ROOT / "inventories" / city / "prices.yaml")
    assert [v.assumed for v in found.versions] == [True]


def test_every_fault_of_a_price_list_is_told_at_once(tmp_path):
    text = """\
currency: USD
versions:
  - valid_from: 2026-01-01
    valid_to: 2025-12-31
    basis: guess
    prices:
      vcpu_hour: -0.06
      vcpu_hour: 1
      memory_gib_hour: 0.0000001
      root_disk_gib_month: 1e3
      volume_gib_month: {ssd: free}
      object_gib_month: [1]
  - valid_from: soon
    basis: confirmed
    price: {}
    prices: 3
"""
    with pytest.raises(RegisterError) as caught:
        price_list(tmp_path, text)
    price = "expected a price in yuan, at least 0, at most 6 digits after the point"
    assert str(caught.value).splitlines() == [
        "prices.yaml:1: currency（币种）: found 'USD', expected CNY",
        "prices.yaml:4: valid_to（失效日期）: found 2025-12-31, expected 2026-01-01 or later",
        "prices.yaml:5: basis（依据）: found 'guess', expected assumed or confirmed",
        "prices.yaml:7: prices.floating_ip_hour（浮动IP每小时）: found nothing, expected a value",
        f"prices.yaml:7: prices.vcpu_hour（每核每小时）: found '-0.06', {price}",
        "prices.yaml:8: prices.vcpu_hour（每核每小时）: found the key twice, expected once",
        f"prices.yaml:9: prices.memory_gib_hour（内存每GiB每小时）: found '0.0000001', {price}",
        f"prices.yaml:10: prices.root_disk_gib_month（系统盘每GiB每月）: found '1e3', {price}",
        "prices.yaml:11: prices.volume_gib_month.default: found nothing, expected a value",
        f"prices.yaml:11: prices.volume_gib_month.ssd: found 'free', {price}",
        f"prices.yaml:12: prices.object_gib_month（对象存储每GiB每月）: found a list, {price}",
        "prices.yaml:13: source（来源）: found nothing, "
        "expected the document that a confirmed price stands in",
        "prices.yaml:13: valid_from（生效日期）: found 'soon', "
        "expected a day as 2026-01-31 (an open end: no valid_to)",
        "prices.yaml:15: versions.price: found an unknown key, "
        "expected one of basis, prices, source, valid_from, valid_to",
        "prices.yaml:16: prices（单价）: found '3', expected keys with values",
    ]


def test_versions_must_not_overlap_and_must_cover_the_bill(tmp_path):
    with pytest.raises(RegisterError) as caught:
        price_list(tmp_path, PRICES.replace("2026-11-15", "2026-11-16"))
    assert str(caught.value) == (
        "prices.yaml:14: valid_from（生效日期）: found 2026-11-16, "
        "while line 3 holds until 2026-11-16, expected versions that do not overlap"
    )
    gap = price_list(tmp_path, PRICES.replace("2026-11-15", "2026-11-10"))
    with pytest.raises(RegisterError) as caught:
        gap.over(NOV.start, NOV.end)
    assert str(caught.value) == (
        "prices.yaml: versions（版本）: found none for 2026-11-11 to 2026-11-15, "
        "expected a version that holds on each day of the bill"
    )


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\0", "currency: {}", "versions: []"])
def test_no_file_is_read_as_free_of_charge(tmp_path, text):
    with pytest.raises(RegisterError, match=r"prices\.yaml"):
        price_list(tmp_path, text)


def test_a_bad_price_list_ends_with_2_before_the_cloud_is_asked(tmp_path, monkeypatch):
    folder = tmp_path / "lab"
    shutil.copytree(ROOT / "inventories/lab", folder)
    (folder / "prices.yaml").write_text("currency: CNY\n")
    monkeypatch.setenv("GAOLING_CITY", str(folder))
    monkeypatch.setattr("sys.argv", ["gaoling", "cloud", "bill"])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 2
