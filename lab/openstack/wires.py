"""The wires around Neutron's agents: a namespace a region with the bridge that is `physnet1`.

    gl-REGION:  router, DHCP and guests' taps -- brq... -- br-ext -- ext0 )---( a leaf's interface

The leaf belongs to the extranet: `attach` joins both when both are there.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab import sweep
from lab.errors import LabError
from lab.openstack.topology import REGIONS, Region, region

NAMES = Path("/run/netns")
TUNNEL_ADDRESS = "10.255.0.1"  # of the VXLAN agent; there is one host, so no packet ever uses it
UPLINK = "ext0"
PLUG = "ext1"  # the other end, until the leaf has it
GUEST = "vm-"


def _run(*words: str | int | Path) -> str:
    line = [str(word) for word in words]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(line)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def exists(namespace: str) -> bool:
    return (NAMES / namespace).exists()


def links(namespace: str) -> dict[str, dict[str, object]]:
    """Return the interfaces of a namespace by name, as `ip -json` describes them."""
    found = json.loads(_run("ip", "-n", namespace, "-json", "-details", "link") or "[]")
    return {link["ifname"]: link for link in found}


def up() -> None:
    """Make both regions' namespaces, bridges and folders of names; what is there stays."""
    for each in REGIONS:
        _names(each)
        _namespace(each.namespace)
        _inside(each)


def _names(each: Region) -> None:
    # A shared mount of its own: what agents bind in it becomes visible outside (see lib/in-region)
    each.names.mkdir(mode=0o755, exist_ok=True)
    if not _mounted(each.names):
        _run("mount", "--bind", each.names, each.names)
        _run("mount", "--make-private", each.names)
        _run("mount", "--make-shared", each.names)


def _mounted(path: Path) -> bool:
    """Return whether something is mounted there.

    `Path.is_mount` does not see a folder that is bound on itself: a second bind would hide from
    new agents what older ones made.
    """
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == str(path) for line in lines)


def _namespace(name: str) -> None:
    path = NAMES / name
    if path.exists():
        done = subprocess.run(["ip", "-n", name, "link"], capture_output=True, check=False)
        if done.returncode == 0:
            return
        path.unlink()  # a name that a killed `ip netns add` left without its namespace
    _run("ip", "netns", "add", name)


def _inside(each: Region) -> None:
    name = each.namespace
    have = links(name)
    settings = ("net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.all.accept_ra=0")
    _run("ip", "netns", "exec", name, "sysctl", "-qw", *settings)
    _run("ip", "-n", name, "link", "set", "lo", "up")
    if "vx0" not in have:  # not every kernel has dummy devices: a veth pair carries the address
        _run("ip", "-n", name, "link", "add", "vx0", "type", "veth", "peer", "name", "vx1")
    _run("ip", "-n", name, "addr", "replace", f"{TUNNEL_ADDRESS}/24", "dev", "vx0")
    _run("ip", "-n", name, "link", "set", "vx0", "up")
    _run("ip", "-n", name, "link", "set", "vx1", "up")
    if "br-ext" not in have:
        bridge = ("type", "bridge", "forward_delay", 0, "stp_state", 0)
        _run("ip", "-n", name, "link", "add", "br-ext", *bridge)
    _run("ip", "-n", name, "link", "set", "br-ext", "up")


def _uplink_bridge(each: Region, have: dict[str, dict[str, object]]) -> str:
    # The Linux bridge agent uses br-ext itself for a flat network; an agent that was configured
    # otherwise would have moved the uplink: leave it where it is.
    master = have.get(UPLINK, {}).get("master")
    return str(master) if master else "br-ext"


def attach(region_name: str, leaf_netns: str, leaf_if: str) -> None:
    """Join a region's provider network to `leaf_if` in `leaf_netns`, whichever came up first.

    Both namespaces must exist. Called again it changes nothing; called with another leaf it moves.
    The leaf sees its end last, when the other has carrier: zebra takes an interface with an address
    of its own up by itself, and static routes that the kernel refuses then ("carrier is down") it
    never tries again.
    """
    each = region(region_name)
    for name in (each.namespace, leaf_netns):
        if not exists(name):
            raise LabError(f"attach {region_name}: no network namespace {name}; is its part up?")
    have, other = links(each.namespace), links(leaf_netns)
    if not _joined(each, leaf_netns, have, other, leaf_if):
        if UPLINK in have:
            _run("ip", "-n", each.namespace, "link", "del", UPLINK)
        if leaf_if in links(leaf_netns):
            _run("ip", "-n", leaf_netns, "link", "del", leaf_if)
        if PLUG in links(each.namespace):
            _run("ip", "-n", each.namespace, "link", "del", PLUG)
        pair = ("type", "veth", "peer", "name", PLUG)
        _run("ip", "-n", each.namespace, "link", "add", UPLINK, *pair)
    bridge = _uplink_bridge(each, links(each.namespace))
    _run("ip", "-n", each.namespace, "link", "set", UPLINK, "master", bridge, "up")
    if PLUG in links(each.namespace):
        moved = ("netns", leaf_netns, "name", leaf_if)
        _run("ip", "-n", each.namespace, "link", "set", PLUG, *moved)
    _run("ip", "-n", leaf_netns, "link", "set", leaf_if, "up")


def _joined(
    each: Region,
    leaf_netns: str,
    have: dict[str, dict[str, object]],
    other: dict[str, dict[str, object]],
    leaf_if: str,
) -> bool:
    """Return whether ext0 and leaf_if are the two ends of one veth pair."""
    if UPLINK not in have or leaf_if not in other:
        return False
    ends = (have[UPLINK].get("link_index"), other[leaf_if].get("link_index"))
    if ends != (other[leaf_if].get("ifindex"), have[UPLINK].get("ifindex")):
        return False
    return _peer_namespace(each.namespace, leaf_netns, have[UPLINK].get("link_netnsid"))


def _peer_namespace(here: str, there: str, number: object) -> bool:
    listed = json.loads(_run("ip", "-n", here, "-json", "netns", "list-id") or "[]")
    return any(entry.get("nsid") == number and entry.get("name") == there for entry in listed)


def namespaces() -> list[Path]:
    """Return the names of every namespace of the cloud half: regions, routers, DHCP, guests."""
    found = [NAMES / each.namespace for each in REGIONS if exists(each.namespace)]
    for each in REGIONS:
        if each.names.is_dir():
            found += sorted(each.names.iterdir())
    if NAMES.is_dir():
        found += sorted(NAMES.glob(f"{GUEST}*"))
    return found


def down() -> int:
    """End what runs in the namespaces, then remove them; return how many processes it ended."""
    names = namespaces()
    ended = sweep.end(lambda: sweep.in_namespaces(names), patience=1.0)
    for each in REGIONS:
        _unmount(each.names)
    for path in names:
        _unmount(path)
        path.unlink(missing_ok=True)
    for each in REGIONS:
        if each.names.is_dir():
            for left in each.names.iterdir():
                _unmount(left)
                left.unlink()
            each.names.rmdir()
    return ended


def _unmount(path: Path) -> None:
    """Take away every mount on a name; one that lies hidden under another goes with that."""
    while _mounted(path):
        done = subprocess.run(
            ["umount", "--recursive", "--lazy", path], capture_output=True, check=False
        )
        if done.returncode:
            return
