"""Fixtures for the cloud half: connections to both regions, a border to reach servers from."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.openstack import part, wires
from lab.openstack.topology import region as region_named

WEB = """#!/bin/sh
mkdir -p www; hostname >www/index.html
for port in 80 81; do busybox httpd -f -p "[::]:$port" -h www & done
echo "web: $(hostname) serves"
"""


def until(good: Callable[[], Any], seconds: float, what: str) -> float:
    """Wait until `good()` is true; return the seconds it took, fail when it never was."""
    start = time.monotonic()
    while not good():
        if time.monotonic() - start > seconds:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.2)
    return time.monotonic() - start


@pytest.fixture(scope="session")
def connect() -> Callable[[str], Any]:
    """Return a function from a region's name to an admin connection."""
    import openstack

    path = part.cloud().clouds_yaml
    if not path.exists():
        pytest.fail(f"no {path}: start the cloud half first (gaoling lab up cloud)")
    config = openstack.config.OpenStackConfig(config_files=[str(path)])
    known: dict[str, Any] = {}

    def connection(region: str) -> Any:
        if region not in known:
            known[region] = openstack.connection.Connection(config=config.get_one(cloud=region))
        return known[region]

    return connection


@dataclass
class Border:
    """A host on the provider network, beside the data-centre leaf: not moved, nothing cut."""

    connection: Any
    region: str
    name: str = field(default_factory=lambda: f"gl-test-{uuid.uuid4().hex[:6]}")
    made: list[Callable[[], Any]] = field(default_factory=list)

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    def plug(self) -> None:
        space = region_named(self.region).namespace
        network = self._external()
        port = self.connection.network.create_port(network_id=network.id, name=self.name)
        self.made.append(lambda: self.connection.network.delete_port(port))
        self.ip("netns", "add", self.name)
        self.made.append(lambda: self.ip("netns", "del", self.name))
        uplink = self.name[-6:] + "-t"
        peer = ("type", "veth", "peer", "name", "eth0", "netns", self.name)
        self.ip("-n", space, "link", "add", uplink, *peer)
        # the agent moves the uplink's bridge nowhere: flat networks use br-ext itself
        self.ip("-n", space, "link", "set", uplink, "master", "br-ext", "up")
        self.ip("-n", self.name, "link", "set", "eth0", "address", port.mac_address, "up")
        self.ip("-n", self.name, "link", "set", "lo", "up")
        for fixed in port.fixed_ips:
            subnet = self.connection.network.get_subnet(fixed["subnet_id"])
            size = ipaddress.ip_network(subnet.cidr).prefixlen
            nodad = ["nodad"] if subnet.ip_version == 6 else []
            address = f"{fixed['ip_address']}/{size}"
            self.ip("-n", self.name, "addr", "add", address, "dev", "eth0", *nodad)

    def _external(self) -> Any:
        network = self.connection.network
        found = next(iter(network.networks(is_router_external=True)), None)
        if found:
            return found
        number = {"primary": 1, "dr": 2}[self.region]
        made = network.create_network(
            name="gl-test-external",
            is_router_external=True,
            provider_network_type="flat",
            provider_physical_network="physnet1",
        )
        self.made.append(lambda: network.delete_network(made))
        for version, cidr in ((4, f"198.51.{99 + number}.0/24"), (6, f"2001:db8:ff0{number}::/64")):
            network.create_subnet(
                name=f"gl-test-external-{version}",
                network_id=made.id,
                ip_version=version,
                cidr=cidr,
                enable_dhcp=False,
            )
        return made

    def route(self, prefix: str, via: str) -> None:
        family = "-6" if ":" in prefix else "-4"
        self.ip("-n", self.name, family, "route", "replace", prefix, "via", via)

    def http(self, address: str, port: int = 80, seconds: int = 2) -> tuple[str, str]:
        """Return (status, body) of a request from the border; "000" when nobody answers."""
        host = f"[{address}]" if ":" in address else address
        options = ("-g", "-s", "--noproxy", "*", "-m", str(seconds), "-w", "\n%{http_code}")
        done = part.run_in(self.name, "curl", *options, f"http://{host}:{port}/")
        body, _, code = done.stdout.rpartition("\n")
        return code, body.strip()

    def close(self) -> None:
        for undo in reversed(self.made):
            undo()


@dataclass
class Site:
    """A tenant's dual-stack network behind a router, with one server that serves HTTP."""

    border: Border
    name: str
    made: list[Callable[[], Any]] = field(default_factory=list)

    def build(self) -> None:
        c, net = self.border.connection, self.border.connection.network
        external = self.border._external()
        gateway = {"network_id": external.id}
        self.router = net.create_router(name=self.name, external_gateway_info=gateway)
        self.made.append(lambda: net.delete_router(self.router))
        self.network = net.create_network(name=self.name)
        self.made.append(lambda: net.delete_network(self.network))
        number = uuid.uuid4().int & 0xFFFF
        v6 = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
        self.cidr6 = f"2001:db8:fe00:{number:x}::/64"
        for version, cidr, more in ((4, "10.99.0.0/24", {}), (6, self.cidr6, v6)):
            subnet = net.create_subnet(
                network_id=self.network.id, ip_version=version, cidr=cidr, **more
            )
            net.add_interface_to_router(self.router, subnet=subnet.id)
            self.made.append(
                lambda s=subnet: net.remove_interface_from_router(self.router, subnet=s.id)
            )
        self.group = net.create_security_group(name=self.name)
        self.made.append(lambda: net.delete_security_group(self.group))
        self.allow(80)
        self.server = self.boot(self.name)
        fixed = [f["ip_address"] for f in self.router.external_gateway_info["external_fixed_ips"]]
        via = next(a for a in fixed if ":" in a)
        self.border.route(self.cidr6, via)
        port = next(net.ports(device_id=self.server.id))
        self.port = port
        self.address6 = next(f["ip_address"] for f in port.fixed_ips if ":" in f["ip_address"])
        floating = net.create_ip(floating_network_id=external.id, port_id=port.id)
        self.made.append(lambda: net.delete_ip(floating))
        self.address4 = floating.floating_ip_address
        assert c

    def allow(self, tcp: int) -> list[Any]:
        return [
            self.border.connection.network.create_security_group_rule(
                security_group_id=self.group.id,
                direction="ingress",
                ethertype=family,
                protocol="tcp",
                port_range_min=tcp,
                port_range_max=tcp,
            )
            for family in ("IPv4", "IPv6")
        ]

    def boot(self, name: str, **more: Any) -> Any:
        c = self.border.connection
        image, flavor = _image(c), _flavor(c)
        server = c.compute.create_server(
            name=name,
            image_id=image.id,
            flavor_id=flavor.id,
            networks=[{"uuid": self.network.id}],
            security_groups=[{"name": self.group.id}],
            user_data=base64.b64encode(WEB.encode()).decode(),
            **more,
        )
        self.made.append(lambda: _delete(c, server))
        return c.compute.wait_for_server(server, wait=120, interval=0.3)

    def answers(self, address: str, port: int = 80) -> bool:
        return self.border.http(address, port)[0] == "200"

    def close(self) -> None:
        for undo in reversed(self.made):
            with contextlib.suppress(Exception):
                undo()


def _delete(connection: Any, server: Any) -> None:
    connection.compute.delete_server(server, ignore_missing=True)
    connection.compute.wait_for_delete(server, interval=0.3)


def _image(c: Any) -> Any:
    found = c.image.find_image("gl-test")
    return found or c.image.create_image(
        name="gl-test", disk_format="raw", container_format="bare", data=b"\0" * 512, wait=False
    )


def _flavor(c: Any) -> Any:
    found = c.compute.find_flavor("gl-test")
    return found or c.compute.create_flavor(name="gl-test", vcpus=1, ram=64, disk=1)


@pytest.fixture(
    scope="session",
    params=["primary", pytest.param("dr", marks=pytest.mark.after_city("dr"))],
)
def site(request: pytest.FixtureRequest, connect: Callable[[str], Any]) -> Iterator[Site]:
    """Return a site with a running server, in each region in turn."""
    connection = connect(request.param)
    border = Border(connection, request.param)
    made = Site(border, border.name)
    try:
        border.plug()
        made.build()
        yield made
    finally:
        made.close()
        border.close()
        for thing in (connection.compute.find_flavor("gl-test"),):
            if thing:
                connection.compute.delete_flavor(thing)
        image = connection.image.find_image("gl-test")
        if image:
            connection.image.delete_image(image)


@pytest.fixture
def wire_names() -> Callable[[str], set[str]]:
    """Return the interfaces of a region's namespace by name."""
    return lambda region: set(wires.links(region_named(region).namespace))
