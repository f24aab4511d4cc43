"""How old the copies in the other region are, by sentinel objects."""

from __future__ import annotations

from exporters.base import Context, Result, Sample
from exporters.cloud import CloudError
from gaoling.city import City, System
from gaoling.evidence import Observation
from gaoling.recovery import sentinel

# Not a rung of the ladder: kept with the evidence so that a restart does not forget its age.
RUNG = "copied"


def synced(city: City) -> list[System]:
    """Return the systems whose objects must be copied to another region."""
    return [
        s for s in city.systems
        if s.has_landing_zone and s.objects and s.state in ("building", "live")
        and city.recovery_policy[s.recovery].objects == "sync"
    ]  # fmt: skip


class Recovery:
    """Writes a sentinel into each container that syncs, and reads the copy."""

    name = "recovery"
    interval = 60.0
    deadline = 60.0

    def collect(self, context: Context) -> Result:
        """Return the time of the newest sentinel that can be read in the other region, a system.

        A system without a project is not covered. Raises CloudError when the cloud is silent.
        """
        city, now = context.city, context.clock()
        home = context.cloud(city.settings.regions[0].name)
        systems = synced(city)
        result = Result(wanted=len(systems))
        projects = home.projects()
        for system in systems:
            if f"{city.settings.id}-{system.id}" not in projects:
                continue
            region = city.recovery_policy[system.recovery].region or ""
            project = f"{city.settings.id}-{system.id}"
            container = f"{system.id}-objects"
            wrong = []
            try:
                if not sentinel.write(home.containers(project), container, system.id, now):
                    wrong.append(f"{system.id}: no container {container} to write to")
            except CloudError as error:
                wrong.append(f"{system.id}: {error}")
            try:
                copy = sentinel.read(
                    context.cloud(region).containers(project), container, system.id
                )
                if copy is None:
                    wrong.append(f"{system.id}: nothing to read in {region}")
                else:
                    result.observations.append(
                        Observation("system", system.id, RUNG, None, True, copy, "sentinel",
                                    source=region)
                    )  # fmt: skip
            except CloudError as error:
                wrong.append(f"{system.id}: {error}")
            result.covered += not wrong
            result.wrong += wrong
        return result


def ages(context: Context, now: float) -> list[Sample]:
    """Return the age of each recovery point at `now`, and what its policy allows.

    It grows while nothing newer can be read. A system that was never read has no series.
    """
    newest = {o.subject: o.time for o in context.store.all() if o.rung == RUNG}
    found = []
    for system in synced(context.city):
        labels = {"system": system.id}
        policy = context.city.recovery_policy[system.recovery]
        if policy.rpo_seconds is not None:
            found.append(Sample("gaoling_recovery_objective_seconds", policy.rpo_seconds, labels))
        if system.id in newest:
            age = max(0.0, now - newest[system.id])
            found.append(Sample("gaoling_recovery_point_age_seconds", age, labels))
    return found
