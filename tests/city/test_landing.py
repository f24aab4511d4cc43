"""`landing` in city.yaml: what contradicts the rest of the city is named, field by field."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gaoling.city import RegisterError, read_city

ROOT = Path(__file__).parents[2]


@pytest.fixture
def faults(tmp_path: Path):
    """Return a function: the texts of all faults of the lab's city with that `landing`."""
    folder = Path(shutil.copytree(ROOT / "inventories/lab", tmp_path / "lab"))
    text = (folder / "city.yaml").read_text()
    text = text[: text.index("landing:")] if "landing:" in text else text

    def read(landing: str) -> list[str]:
        (folder / "city.yaml").write_text(f"{text}landing: {landing}\n")
        with pytest.raises(RegisterError) as caught:
            read_city(folder)
        return [str(fault) for fault in caught.value.faults]

    return read


@pytest.mark.parametrize(
    ("landing", "expected"),
    [
        (
            "{ipv6_mode: manual}",
            "city.yaml: landing.ipv6_mode: found 'manual', "
            "expected one of slaac, dhcpv6-stateful, dhcpv6-stateless",
        ),
        (
            "{systems: [{system: nobody}]}",
            "city.yaml: landing.systems.0.system: found 'nobody', expected a system of systems.csv",
        ),
        (
            "{systems: [{system: health}, {system: health}]}",
            "city.yaml: landing.systems.1.system: found 'health', expected each system once",
        ),
        (
            "{systems: [{system: e-license, data_tier: {servers: 2, port: 5432}}]}",
            "city.yaml: landing.systems.0.data_tier.servers: found 2, "
            "expected fewer than the 2 of e-license: one at least serves",
        ),
        (
            "{volume_type: fast}",
            "city.yaml: landing.volume_type: found 'fast', expected a name of landing.volume_types",
        ),
        (
            "{systems: [{system: health, volume_type: fast}]}",
            "city.yaml: landing.systems.0.volume_type: found 'fast', "
            "expected a name of landing.volume_types",
        ),
        (
            "{volume_types: [{name: secret, encrypted: true}]}",
            "city.yaml: landing.volume_types.0: found {'name': 'secret', 'encrypted': True}, "
            "expected made_by: cloud where encrypted: no Pulumi resource encrypts a volume type",
        ),
        (
            "{volume_types: [{name: ours, made_by: cloud, iops: 5}]}",
            "city.yaml: landing.volume_types.0: found {'name': 'ours', 'made_by': 'cloud', "
            "'iops': 5}, expected no iops where made_by is cloud: its administrator sets them",
        ),
        (
            "{host_groups: [{region: mars, name: rack, hosts: [h1]}]}",
            "city.yaml: landing.host_groups.0.region: found 'mars', expected a region of city.yaml",
        ),
        (
            "{shared_services: [{region: dr, ipv4: 10.65.9.0/24, ipv6: '2001:db8:ffff::/64'}]}",
            "city.yaml: landing.shared_services.0.ipv4: found '10.65.9.0/24', "
            "expected a network of its own (region dr has 10.65.0.0/16)",
        ),
        (
            "{shared_services: [{region: dr, ipv4: 10.66.0.0/24, ipv6: '3fff::/64'}]}",
            "city.yaml: landing.shared_services.0.ipv6: found '3fff::/64', "
            "expected a network in 2001:db8::/32",
        ),
        (
            "{object_gb: 0}",
            "city.yaml: landing.object_gb: found 0, expected greater than or equal to 1",
        ),
    ],
)
def test_each_contradiction_is_named(faults, landing: str, expected: str):
    assert faults(landing) == [expected]


def test_a_wish_is_of_its_system_alone():
    settings = read_city(ROOT / "inventories/lab").settings
    assert settings.landing.wish("health").data_tier is None
    assert settings.landing.wish("health").load_balancer is False
