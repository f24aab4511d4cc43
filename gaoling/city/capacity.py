"""What the systems ask of each region, and what the providers have there."""

from __future__ import annotations

from dataclasses import dataclass

from gaoling.city.model import City, System

RESOURCES = ("vcpus", "memory_gb", "volume_gb")


@dataclass
class Asked:
    """Sums for one region."""

    vcpus: int = 0
    memory_gb: int = 0
    volume_gb: int = 0

    def add(self, system: System, servers: bool) -> None:
        if servers:
            self.vcpus += system.servers * system.vcpus
            self.memory_gb += system.servers * system.memory_gb
        self.volume_gb += system.servers * system.volume_gb


def asked(city: City) -> dict[str, Asked]:
    """Return what is asked of each region: the home (the first one) holds every landing zone, the
    region of a recovery policy that wants servers holds those of its systems again."""
    found = {region.name: Asked() for region in city.settings.regions}
    home = city.settings.regions[0].name
    for system in city.systems:
        if not system.has_landing_zone:
            continue
        running = system.state != "retired"  # a retired system keeps its data, not its servers
        found[home].add(system, running)
        policy = city.recovery_policy.get(system.recovery)
        if policy and policy.standby == "servers" and policy.region in found:
            found[policy.region].add(system, running)
    return found


def there(city: City) -> dict[str, Asked]:
    """Return what the providers have in each region; a region that nobody speaks of is missing."""
    found: dict[str, Asked] = {}
    for provider in city.settings.providers:
        for capacity in provider.capacity:
            region = found.setdefault(capacity.region, Asked())
            for name in RESOURCES:
                setattr(region, name, getattr(region, name) + getattr(capacity, name))
    return found
