"""Which sites and routers answer, seen from the network operations centre by fping."""

from __future__ import annotations

from exporters.base import Context, Result
from gaoling.city import Role
from gaoling.evidence import Observation
from gaoling.evidence.observation import Kind
from gaoling.evidence.probes import Address, sweep


class ExtranetSites:
    """Reachable: every attached site's probe address and every router's own, both families."""

    name = "extranet_sites"
    interval = 60.0
    deadline = 45.0

    def collect(self, context: Context) -> Result:
        """Return an observation for each target and family that fping spoke of."""
        targets = _targets(context)
        addresses = {address for _, _, address in targets}
        result = Result(wanted=0)
        vantages = [d.name for d in context.city.devices if d.role is Role.VANTAGE
                    and context.city.site[d.site].kind == "facility"]  # fmt: skip
        if not vantages:
            raise LookupError("no vantage in a facility of the register: nobody can look")
        now = context.clock()
        for vantage in vantages:
            found, wrong = sweep(context.runner, vantage, addresses)
            result.wanted += len(addresses)
            result.covered += len(found)
            result.wrong += wrong
            for kind, subject, address in targets:
                if address in found:
                    result.observations.append(
                        Observation(kind, subject, "reachable", address.version, found[address],
                                    now, "fping", vantage, str(address))
                    )  # fmt: skip
        return result


def _targets(context: Context) -> list[tuple[Kind, str, Address]]:
    city, plan = context.city, context.plan
    found: list[tuple[Kind, str, Address]] = []
    for site in city.sites:
        found += [("site", site.code, a) for a in plan.probe(site) if a is not None]
    for device in city.devices:
        if device.routes and device.role is not Role.PEER:
            found.append(("device", device.name, device.management))
            found.append(("device", device.name, plan.loopback(device.name)))
    return found
