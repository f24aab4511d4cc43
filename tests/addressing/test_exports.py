"""What leaves the plan: zone files that BIND accepts, prefix lists and an ACL object."""

import shutil
import subprocess
from ipaddress import IPv6Network
from pathlib import Path

import pytest

from gaoling.addressing import plan_city
from gaoling.addressing.border import PLATFORMS, border
from gaoling.addressing.names import domain_of, forward_zone, records, reverse_zones
from gaoling.city import read_city
from tests.addressing.samples import LAB

PACKAGES = ("bind9-utils",)  # Debian packages that these tests run
CITY = read_city(LAB)
PLAN = plan_city(CITY)


def check_zone(folder: Path, zone: str, text: str) -> str:
    assert shutil.which("named-checkzone"), f"install {' '.join(PACKAGES)}"
    (folder / "zone").write_text(text)
    done = subprocess.run(
        ["named-checkzone", "-i", "local", zone, str(folder / "zone")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_named_checkzone_accepts_the_aaaa_records(tmp_path: Path):
    assert domain_of(PLAN) == "lab.example."
    said = check_zone(tmp_path, "lab.example", forward_zone(PLAN, 2026112300))
    assert said.splitlines() == ["zone lab.example/IN: loaded serial 2026112300", "OK"]


def test_named_checkzone_accepts_the_reverse_zone(tmp_path: Path):
    (zone,) = reverse_zones(PLAN, 1).items()
    assert zone[0] == "8.b.d.0.1.0.0.2.ip6.arpa"
    said = check_zone(tmp_path, *zone)
    assert said.splitlines() == ["zone 8.b.d.0.1.0.0.2.ip6.arpa/IN: loaded serial 1", "OK"]


def test_every_name_has_its_way_back():
    (reverse,) = reverse_zones(PLAN, 1).values()
    pointers = [line for line in reverse.splitlines() if " IN PTR " in line]
    assert len(pointers) == len(records(PLAN))
    zone = "8.b.d.0.1.0.0.2.ip6.arpa"
    for name, address in records(PLAN)[:40]:
        label = address.reverse_pointer.removesuffix(f".{zone}")
        assert f"{label} IN PTR {name}.lab.example." in pointers


def test_no_address_has_two_names():
    addresses = [address for _, address in records(PLAN)]
    assert len(addresses) == len(set(addresses))


def test_a_prefix_between_nibbles_has_a_zone_for_each_nibble(tmp_path: Path):
    wide = CITY.model_copy(update={
        "settings": CITY.settings.model_copy(update={"ipv6_prefix": IPv6Network("2001:db8::/30")})
    })  # fmt: skip
    zones = reverse_zones(plan_city(wide), 7)
    assert list(zones) == [f"{n}.b.d.0.1.0.0.2.ip6.arpa" for n in "89ab"]
    for zone, text in zones.items():
        check_zone(tmp_path, zone, text)


def test_an_interface_with_slashes_is_one_label():
    from gaoling.addressing.names import _label

    assert _label("GigabitEthernet0/0/1") == "gigabitethernet0-0-1"


def test_the_border_announces_the_city_and_nothing_more_specific():
    assert [x for x in border(PLAN, "frr").splitlines() if "GAOLING-OUT" in x] == [
        "ipv6 prefix-list GAOLING-OUT seq 5 permit 2001:db8::/32",
        "ipv6 prefix-list GAOLING-OUT seq 1000 deny any",
    ]


def test_our_own_prefix_is_never_taken_from_outside():
    assert "ipv6 prefix-list GAOLING-IN seq 5 deny 2001:db8::/32 le 128" in border(PLAN, "frr")
    assert "ip ipv6-prefix GAOLING-IN index 10 deny 2001:db8:: 32 less-equal 128" in border(
        PLAN, "huawei_vrp"
    )


def test_the_acl_object_names_every_block_in_use():
    assert [x for x in border(PLAN, "h3c_comware").splitlines() if x.startswith(" ")] == [
        " network subnet 2001:db8:: 36",
        *(f" network subnet 2001:db8:{n}:: 36" for n in ("2000", "4000", "8000", "a000", "c000")),
    ]


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
def test_every_platform_has_both_lists_and_the_object(platform: str):
    text = border(PLAN, platform)
    for name in ("GAOLING-OUT", "GAOLING-IN", "GAOLING-OWN"):
        assert name in text
