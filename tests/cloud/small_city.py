"""A city of one system beside the lab's, with a state of its own, on the lab's platform.

Its requests go through a proxy that spoils chosen ones; what the cloud holds of it is counted
without the proxy.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gaoling.cli import context
from gaoling.cloud.access import write_access
from gaoling.cloud.connect import connect
from tests.cloud.proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]
GAOLING = ROOT / ".venv/bin/gaoling"
SYSTEM = "zz-zz-fault"
KEYSTONE, NEUTRON, NOVA, CINDER, GLANCE, SWIFT = 25000, 26696, 26774, 26776, 26292, 26080
WHOLE = {
    "project": 1, "network": 1, "subnet": 2, "router": 1, "interface": 2, "port": 1, "group": 2,
    "server": 1, "volume": 1, "container": 1, "credential": 1,
}  # fmt: skip


def _ports(network, project, owner):
    found = network.ports(project_id=project)
    return [port for port in found if (port.device_owner or "").startswith(owner)]


class SmallCity:
    """The city, its state and its way to the cloud; what the cloud holds of it.

    `place` is how many systems take their addresses before its own: cities that are in the cloud
    at the same time have each another.
    """

    def __init__(self, folder: Path, name: str, place: int = 3) -> None:
        self.place = place
        self.name, self.stack, self.project = name, f"{name}-primary-0", f"{name}-{SYSTEM}"
        self.proxy = Proxy([KEYSTONE, NEUTRON, NOVA, CINDER, GLANCE, SWIFT])
        self.state, self.city = folder / "state", folder / name
        self.given = context.access("cloud") / "clouds.yaml"
        self._lay_out(folder)
        self.write()
        self.api = connect(self.given, "primary")
        write_access(self.given, folder / "direct.yaml", ["primary"], {self.project})
        self.direct = folder / "direct.yaml"

    def _lay_out(self, folder: Path) -> None:
        access = folder / "access/cloud"
        access.mkdir(parents=True)
        (access / "clouds.yaml").write_text(self.proxy.outside(self.given.read_text()))
        lab = Path(os.environ.get("GAOLING_STATE") or "/var/lib/gaoling/lab/work") / "pulumi"
        mine = self.state / "pulumi"
        kept = "state/.pulumi/stacks/gaoling/lab-primary-platform.json"
        for name in ("passphrase", "sync-secret", kept, "state/.pulumi/meta.yaml"):
            (mine / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy(lab / name, mine / name)
        self.env = {
            **os.environ, "GAOLING_CITY": str(self.city), "GAOLING_STATE": str(self.state),
            "GAOLING_ACCESS": str(folder / "access"),
        }  # fmt: skip

    def write(self, gone: bool = False, landing: str = "", **cells: str) -> None:
        """Write the register; `cells` are the system's that differ from those of its model.

        `gone` leaves its row out, `landing` are more lines of what the city's landing zones get.
        """
        shutil.rmtree(self.city, ignore_errors=True)
        shutil.copytree(ROOT / "inventories/lab", self.city)
        path = self.city / "systems.csv"
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["migration"] = "off" if row["migration"] != "planned" else "planned"
        model = {**next(r for r in rows if r["id"] == "health"), "migration": "on_cloud",
                 "servers": "1", **cells}  # fmt: skip
        # addresses are given in this order: these are before it, and nothing of them is made
        before = [{**model, "migration": "off", "id": f"zz-{n}"} for n in range(self.place)]
        rows += [*before, *([] if gone else [{**model, "id": SYSTEM}])]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        settings = self.city / "city.yaml"
        text = settings.read_text().replace("id: lab", f"id: {self.name}", 1)
        settings.write_text(text.replace("\nlanding:", f"\nlanding:{landing}", 1))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [GAOLING, "cloud", *arguments, "--stack", self.stack], env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=600)
        assert process.returncode == code, said[-4000:]
        return said

    def up(self, code: int = 0) -> str:
        return self.run("up", "--yes", code=code)

    # -- what is there

    def projects(self) -> list[str]:
        return [p.id for p in self.api.identity.projects() if p.name == self.project]

    def containers(self):
        """Return the project's object store; the project may be another than a moment ago."""
        return connect(self.direct, f"primary:{self.project}").object_store

    def _credentials(self):
        user = self.api.current_user_id
        held = self.api.identity.application_credentials(user=user)
        return [c for c in held if c.name == self.project]

    def title(self) -> str:
        (project,) = self.projects()
        return str(self.api.identity.get_project(project).description)

    def there(self) -> list[tuple[str, str, str]]:
        """Return kind, name and id of all that the project holds."""
        found = [("credential", c.name, c.id) for c in self._credentials()]
        for project in self.projects():
            network, compute = self.api.network, self.api.compute
            parts = {
                "network": network.networks(project_id=project),
                "subnet": network.subnets(project_id=project),
                "router": network.routers(project_id=project),
                "port": _ports(network, project, "compute:"),
                "interface": _ports(network, project, "network:router_interface"),
                "group": network.security_groups(project_id=project),
                "server": compute.servers(all_projects=True, project_id=project),
                "volume": self.api.block_storage.volumes(all_projects=True, project_id=project),
            }
            found.append(("project", self.project, project))
            for kind, rows in parts.items():
                found += [(kind, row.name, row.id) for row in rows]
            found += [("container", c.name, c.name) for c in self.containers().containers()]
        return found

    def counts(self) -> dict[str, int]:
        return dict(Counter(kind for kind, _, _ in self.there()))

    def held(self) -> list[dict]:
        path = self.state / f"pulumi/state/.pulumi/stacks/gaoling/{self.stack}.json"
        return (json.loads(path.read_text())["checkpoint"].get("latest") or {})["resources"]

    def protected(self) -> list[str]:
        """Return the URNs of what is protected."""
        return sorted(r["urn"] for r in self.held() if r.get("protect"))

    def orphans(self) -> list[tuple[str, str, str]]:
        """Return what is in the project and not in the state, but for what the cloud makes."""
        known = {r.get("id", "") for r in self.held()}
        return [one for one in self.there() if one[2] not in known and one[1] != "default"]

    def whole(self, expected: dict[str, int] = WHOLE) -> None:
        """Assert that all is there once, and that the state says so."""
        assert self.orphans() == []
        assert self.counts() == expected
        self.run("preview", "--expect-no-changes")

    def purge(self) -> None:
        """Remove what an earlier test run left, past Pulumi."""
        for one in self._credentials():
            self.api.identity.delete_application_credential(self.api.current_user_id, one)
        for project in self.projects():
            for server in self.api.compute.servers(all_projects=True, project_id=project):
                self.api.compute.delete_server(server, force=True)
                self.api.compute.wait_for_delete(server)
            for kind, _, identity in self.there():
                if kind == "router":
                    self.api.network.update_router(identity, external_gateway_info=None)
                    for port in self.api.network.ports(device_id=identity):
                        self.api.network.remove_interface_from_router(identity, port=port.id)
                    self.api.network.delete_router(identity)
            for group in self.api.compute.server_groups(all_projects=True):
                if group.project_id == project:
                    self.api.compute.delete_server_group(group)
            for port in self.api.network.ports(project_id=project):  # bound to a server or not
                if not (port.device_owner or "").startswith("network:"):
                    self.api.network.delete_port(port)
            for kind, _, identity in self.there():
                if kind == "volume":
                    self.api.block_storage.delete_volume(identity)
                elif kind == "container":
                    self.containers().delete_container(identity)
            for kind, _, identity in self.there():
                if kind == "network":
                    self.api.network.delete_network(identity)
            for kind, _, identity in self.there():
                if kind == "group":
                    self.api.network.delete_security_group(identity)
            self.api.identity.delete_project(project)


@contextmanager
def small_city(folder: Path, name: str, place: int = 3) -> Iterator[SmallCity]:
    """Give a city of which nothing is in the cloud at first, nor afterwards."""
    made = SmallCity(folder, name, place)
    made.purge()
    yield made
    made.proxy.faults.clear()
    made.purge()
    left = made.there()
    made.proxy.close()
    assert left == []


def kill(process):
    """Kill a run and all that it started, as the kernel does when memory is short."""
    children = subprocess.run(
        ["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True
    ).stdout
    parents = {}
    for line in children.splitlines()[1:]:
        pid, parent = line.split()
        parents.setdefault(int(parent), []).append(int(pid))
    wanted, queue = [], [process.pid]
    while queue:
        one = queue.pop()
        wanted.append(one)
        queue += parents.get(one, [])
    for pid in wanted:
        with suppress(ProcessLookupError):  # it ended by itself when its parent did
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to it"
        time.sleep(0.1)


def stop_neutron():
    """Kill the primary region's neutron-server, master and workers."""
    from lab.paths import LabPaths
    from lab.supervise import Supervisor

    pid = Supervisor(LabPaths("cloud")).pid("neutron-primary")
    assert pid
    os.killpg(os.getpgid(pid), signal.SIGKILL)


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return True
    except OSError:
        return False
