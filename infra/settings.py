"""What a stack is told: its configuration, typed and checked."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pulumi

from gaoling.addressing import Plan, plan_city, read_lock
from gaoling.city import City, read_city
from gaoling.cloud.stacks import PLATFORM, ROOT, stack_name

LOCK = "addresses"  # the plan's lock, beside the tables of the city


@dataclass(frozen=True)
class Settings:
    """A stack's configuration. `docs/cloud.md` says what each key means."""

    city: str
    region: str
    stack: str
    cloud: str
    protect: bool = True
    platform: str = ""  # the stack with the provider network; the region's own when empty
    systems: tuple[str, ...] = ()  # only these, for scratch stacks
    sync_realm: str = ""
    sync_secret: pulumi.Output[str] | None = None
    anti_affinity: str = "anti-affinity"
    dns: tuple[str, ...] = ()
    root_disk_gb: int = 20
    image: str = ""  # the name of an image that the cloud has
    image_file: str = ""  # else a file to upload, relative to the repository
    answer: bool = False  # servers answer HTTP with the name of their system
    physical_network: str = "physnet1"
    availability_zones: tuple[str, ...] = ()  # that a system's servers are spread over
    load_balancer: str = ""  # octavia where the cloud has it
    ipv6_pool: bool = False  # tenants' IPv6 from a pool in an address scope
    expires: str = "none"  # the day on which a temporary stack goes: 2026-12-31

    @property
    def is_platform(self) -> bool:
        return self.stack == PLATFORM

    def dns_of(self, version: int) -> list[str]:
        """Return the name servers of an IP version: a subnet refuses those of the other."""
        return [a for a in self.dns if ip_address(a).version == version]


def read_settings() -> Settings:
    """Return the configuration of the running stack. Raises pulumi.RunError naming a bad key."""
    config = pulumi.Config("gaoling")
    protect = config.get_bool("protect")
    answer = config.get_bool("answer")
    affinity = config.get("antiAffinity") or "anti-affinity"
    if affinity not in ("anti-affinity", "soft-anti-affinity"):
        raise pulumi.RunError(
            f"gaoling:antiAffinity: found {affinity!r}, "
            "expected anti-affinity or soft-anti-affinity"
        )
    balancer = config.get("loadBalancer") or ""
    if balancer not in ("", "octavia"):
        raise pulumi.RunError(
            f"gaoling:loadBalancer: found {balancer!r}, expected octavia, or nothing where the "
            "cloud has none"
        )
    return Settings(
        city=config.require("city"),
        region=config.require("region"),
        stack=config.require("stack"),
        cloud=pulumi.Config("openstack").require("cloud"),
        protect=True if protect is None else protect,
        platform=config.get("platform") or "",
        systems=tuple(config.get_object("systems") or ()),
        sync_realm=config.get("syncRealm") or "",
        sync_secret=config.get_secret("syncSecret"),
        anti_affinity=affinity,
        dns=tuple(config.get_object("dns") or ()),
        root_disk_gb=config.get_int("rootDiskGb") or 20,
        image=config.get("image") or "",
        image_file=config.get("imageFile") or "",
        answer=bool(answer),
        physical_network=config.get("physicalNetwork") or "physnet1",
        availability_zones=tuple(config.get_object("availabilityZones") or ()),
        load_balancer=balancer,
        ipv6_pool=bool(config.get_bool("ipv6Pool")),
        expires=config.get("expires") or "none",
    )


def city_of(settings: Settings) -> tuple[City, Plan]:
    """Return the stack's city and its address plan. Raises RegisterError, LockError, ValueError."""
    given = Path(settings.city)
    folder = given if given.is_absolute() else ROOT / "inventories" / settings.city
    city = read_city(folder)
    if settings.region not in city.region:
        known = ", ".join(city.region)
        raise pulumi.RunError(f"gaoling:region: found {settings.region!r}, expected one of {known}")
    return city, plan_city(city, read_lock(folder / LOCK))


def platform_stack(settings: Settings, city: City) -> str:
    """Return the full name of the stack that holds the region's platform."""
    other = settings.platform.replace("{region}", settings.region)
    name = other or stack_name(city, settings.region, PLATFORM)
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{name}"
