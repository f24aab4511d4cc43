"""What is made of the answers of placement, Nova and Cinder. The lab's: test_capacity_lab."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace as Thing

import pytest

from gaoling.city import read_city
from gaoling.cloud import capacity_probe
from gaoling.cloud.capacity import Inventory, measure
from gaoling.cloud.capacity_probe import CapacityError, observe
from gaoling.cloud.capacity_settings import Planning

LAB = read_city(Path(__file__).resolve().parents[2] / "inventories/lab")


def inventory(total, reserved=0, ratio=1.0):
    return {"total": total, "reserved": reserved, "allocation_ratio": ratio, "step_size": 1}


INVENTORIES = {
    "a": {"VCPU": inventory(64, 4, 16.0), "MEMORY_MB": inventory(65536, 512, 1.5)},
    "b": {"CUSTOM_GPU": inventory(8)},
    "b0": {"VCPU": inventory(32, 0, 2.0), "MEMORY_MB": inventory(32768)},
    "b1": {"VCPU": inventory(32, 2, 4.0), "MEMORY_MB": inventory(32768)},
    "s": {"DISK_GB": inventory(1000, 10)},
}
USAGES = {"a": {"VCPU": 3, "MEMORY_MB": 3072}, "b1": {"VCPU": 2, "MEMORY_MB": 512},
          "s": {"DISK_GB": 25}}  # fmt: skip

PROJECTS = {"p1": {"VCPU": 4, "MEMORY_MB": 3072, "DISK_GB": 20, "CUSTOM_GPU": 1},
            "p2": {"VCPU": 99}}  # fmt: skip


class Placement:
    """Two hosts, one with nested NUMA nodes, and a shared disk."""

    rows = (("a", "cmp1", "a"), ("b", "cmp2", "b"), ("b0", "numa0", "b"), ("b1", "numa1", "b"),
            ("s", "shared", "s"))  # fmt: skip
    down = False

    def get(self, path, microversion):
        assert microversion == "1.14"
        if self.down:
            raise ConnectionError("placement is silent")
        if path.startswith("/usages?project_id="):
            held = PROJECTS.get(path.removeprefix("/usages?project_id="), {})
            return Thing(raise_for_status=lambda: None, json=lambda: {"usages": held})
        _, _, uuid, what = (*path.split("/"), "", "")[:4]
        told = {
            "inventories": {"inventories": INVENTORIES.get(uuid, {})},
            "usages": {"usages": USAGES.get(uuid, {})},
            "": {"resource_providers": [
                {"uuid": u, "name": n, "root_provider_uuid": r} for u, n, r in self.rows
            ]},
        }  # fmt: skip
        return Thing(raise_for_status=lambda: None, json=lambda: told[what])


POOL = {"total_capacity_gb": 1000, "reserved_percentage": 10, "max_over_subscription_ratio": "2.0",
        "thin_provisioning_support": True, "provisioned_capacity_gb": 0,
        "allocated_capacity_gb": 30}  # fmt: skip


class Api:
    """A region as openstacksdk shows it; two projects, one of them not the city's."""

    def __init__(self):
        self.pool = dict(POOL)
        self.placement = Placement()
        projects = [Thing(id="p1", name="lab-health"), Thing(id="p2", name="stranger")]
        self.identity = Thing(projects=lambda: projects)
        self.compute = Thing(hypervisors=self._hypervisors)
        self.block_storage = Thing(backend_pools=self._pools, volumes=self._volumes)

    @staticmethod
    def _hypervisors(details):
        assert details
        return [Thing(name="cmp1", status="enabled", state="up"),
                Thing(name="cmp2", status="disabled", state="down")]  # fmt: skip

    def _pools(self):
        return [Thing(name="vol@files#files", capabilities=self.pool)]

    @staticmethod
    def _volumes(details, all_projects):
        assert all_projects
        return [Thing(project_id="p1", size=7), Thing(project_id="p2", size=9)]


@pytest.fixture
def clouds(tmp_path):
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds: {}\n")
    return path


@pytest.fixture
def api(monkeypatch):
    found = Api()
    monkeypatch.setattr(capacity_probe, "connect", lambda clouds, entry, seconds: found)
    return found


def test_nested_providers_are_one_host_and_a_shared_disk_is_a_pool(api, clouds):
    seen = observe(LAB, "primary", clouds)
    one, two = seen.hosts
    assert (one.name, one.enabled, one.up) == ("cmp1", True, True)
    assert one.inventories["vcpus"] == Inventory(64, 4, 16.0, 3)
    assert one.inventories["memory_gb"] == Inventory(64, 0.5, 1.5, 3)
    assert (two.name, two.enabled, two.up) == ("cmp2", False, False)
    assert two.inventories["vcpus"].total == 64
    # 32 × 2 and 30 × 4: as each node promises
    assert two.inventories["vcpus"].effective == pytest.approx(184)
    assert two.inventories["vcpus"].used == 2
    assert [p.name for p in seen.pools] == ["shared", "vol@files#files"]
    assert seen.pools[0].inventories == {"disk_gb": Inventory(1000, 10, 1.0, 25)}
    assert seen.host_loss("disk_gb") == 0


def test_a_thin_pool_counts_as_cinder_counts_it(api, clouds):
    pool = observe(LAB, "primary", clouds).pools[-1].inventories["volume_gb"]
    assert (pool.effective, pool.used) == (1800, 30)
    api.pool["thin_provisioning_support"] = False
    assert observe(LAB, "primary", clouds).pools[-1].inventories["volume_gb"].effective == 900
    api.pool |= {"thin_provisioning_support": True, "max_over_subscription_ratio": "auto"}
    assert observe(LAB, "primary", clouds).pools[-1].inventories["volume_gb"].effective == 900


def test_only_the_citys_projects_hold_what_it_asked_for(api, clouds):
    assert observe(LAB, "primary", clouds).provisioned == {
        "lab-health": {"vcpus": 4, "memory_gb": 3, "disk_gb": 20, "volume_gb": 7}
    }


@pytest.mark.parametrize("total", ["unknown", "infinite", None])
def test_a_pool_that_does_not_say_how_large_it_is_is_unknown_and_not_endless(api, clouds, total):
    api.pool["total_capacity_gb"] = total
    seen = observe(LAB, "primary", clouds)
    assert seen.wrong == (
        f"primary: cinder: ValueError: pool vol@files#files: total_capacity_gb: found {total!r}, "
        "expected a number",
    )
    assert not seen.knows("volume_gb")
    assert "volume_gb" not in {f.resource for f in measure(LAB, seen, Planning())}


def test_when_placement_is_silent_storage_is_still_known(api, clouds):
    api.placement.down = True
    seen = observe(LAB, "primary", clouds)
    assert seen.wrong == ("primary: placement and nova: ConnectionError: placement is silent",)
    assert [f.resource for f in measure(LAB, seen, Planning())] == ["volume_gb"]


def test_a_host_that_nova_does_not_list_promises_nothing(api, clouds):
    api.compute.hypervisors = lambda details: []
    assert observe(LAB, "primary", clouds).total("vcpus") == 0


def test_a_region_that_says_nothing_is_an_error_with_its_name(api, clouds):
    api.placement.down = True
    api.pool["total_capacity_gb"] = None
    with pytest.raises(CapacityError, match=r"^primary: placement and nova: .*; primary: cinder"):
        observe(LAB, "primary", clouds)
    api.identity.projects = lambda: 1 / 0
    with pytest.raises(CapacityError, match="primary: identity: ZeroDivisionError"):
        observe(LAB, "primary", clouds)
    clouds.unlink()
    with pytest.raises(CapacityError, match="is not there: expected an administrator's access"):
        observe(LAB, "primary", clouds)
