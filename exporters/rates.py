"""The rates and their counts, out of the evidence at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from exporters.base import Context, Result, Sample
from exporters.recovery import ages
from gaoling.city import Level, Role, Site
from gaoling.evidence import SITE_RUNGS, SYSTEM_RUNGS, Picture, Rate, Rates, State, Subject
from gaoling.evidence.picture import NOT_ATTACHED
from gaoling.evidence.rates import CLOUD_ADOPTION, EXTRANET_ACCESS, IPV6_SITES, IPV6_SYSTEMS

SERIES = {
    CLOUD_ADOPTION: "gaoling_cloud_adoption_ratio",
    EXTRANET_ACCESS: "gaoling_extranet_access_ratio",
    IPV6_SITES: "gaoling_ipv6_sites_ratio",
    IPV6_SYSTEMS: "gaoling_ipv6_systems_ratio",
}


class RatesCollector:
    """Judges what is in the store; looks at nothing itself."""

    name = "rates"
    interval = 10.0
    deadline = 10.0

    def collect(self, context: Context) -> Result:
        """Return every series of the rates. What nothing measures has none."""
        now = context.clock()
        rates = judge(context, now)
        found = [*_systems(rates), *_sites(rates), *_routers(rates), *ages(context, now)]
        for rate in rates.all():
            found += _rate(rate)
        return Result(samples=found, covered=1, wanted=1)


def judge(context: Context, now: float) -> Rates:
    """Return the rates by what the store holds at `now`."""
    return Rates(Picture(context.city, context.store.all(), context.site_families(), now))


def as_json(rates: Rates) -> list[dict[str, Any]]:
    """Return every rate with who is missing from it, whose it is and why."""
    return [
        {
            "rate": rate.definition.name,
            "level": rate.level,
            "definition": rate.definition.id,
            "denominator_hash": rate.denominator_hash,
            "declared": rate.declared,
            "observed": rate.observed,
            "absent": rate.absent,
            "unknown": rate.unknown,
            "expired": rate.expired,
            "exempt": rate.exempt,
            "interval": rate.interval,
            "oldest": rate.oldest,
            "missing": [asdict(m) for m in rate.missing],
        }
        for rate in rates.all()
    ]


def _rate(rate: Rate) -> Iterator[Sample]:
    labels = {"rate": rate.definition.name, "level": rate.level}
    of_level = {"level": rate.level} if rate.level else {}
    yield Sample("gaoling_rate_denominator", rate.declared, labels)
    info = {**labels, "definition": rate.definition.id, "denominator_hash": rate.denominator_hash}
    yield Sample("gaoling_rate_info", 1, info)
    yield Sample("gaoling_rate_exempt", rate.exempt, labels)
    if rate.interval is None:
        return
    for bound, value in zip(("lower", "upper"), rate.interval, strict=True):
        yield Sample(SERIES[rate.definition], value, {**of_level, "bound": bound})
    counts = {"observed": rate.observed, "absent": rate.absent, "unknown": rate.unknown}
    for state, count in counts.items():
        yield Sample("gaoling_rate_subjects", count, {**labels, "state": state})
    yield Sample("gaoling_rate_expired", rate.expired, labels)
    if rate.oldest is not None:
        yield Sample("gaoling_evidence_oldest_timestamp_seconds", rate.oldest, labels)
    whose = Counter((m.owner, "absent" if m.state is State.NO else "unknown") for m in rate.missing)
    for (owner, state), count in sorted(whose.items()):
        yield Sample("gaoling_rate_missing", count, {**labels, "owner": owner, "state": state})


def _systems(rates: Rates) -> Iterator[Sample]:
    """Yield how many counted systems stand on each rung that something measures."""
    picture, counted = rates.picture, rates.counted_systems
    for rung in SYSTEM_RUNGS:
        if rung == "declared" or any(picture.measured("system", s.id, rung) for s in counted):
            yes = [s for s in counted
                   if picture.standing("system", s.id).states[rung] is State.YES]  # fmt: skip
            yield Sample("gaoling_systems", len(yes), {"rung": rung})
    apart: Counter[str] = Counter()
    for system in rates.city.systems:
        if not system.counted:
            apart[
                "classified" if system.classified
                else "provincial" if system.tier == "provincial"
                else system.state
            ] += 1  # fmt: skip
    for reason, count in sorted(apart.items()):
        yield Sample("gaoling_systems_not_counted", count, {"reason": reason})


def _sites(rates: Rates) -> Iterator[Sample]:
    """Yield how many counted sites of each level and county stand on each measured rung."""
    picture, city = rates.picture, rates.city
    for level in Level:
        by_county: dict[str, list[Site]] = {}
        for site in rates.counted_sites(level.value)[0]:
            by_county.setdefault(city.county_of(site), []).append(site)
        for county, here in sorted(by_county.items()):
            labels = {"level": level.value, "county": county}
            for rung in SITE_RUNGS:
                if rung == "declared" or any(picture.measured("site", s.code, rung) for s in here):
                    yes = sum(
                        picture.standing("site", s.code).states[rung] is State.YES for s in here
                    )
                    yield Sample("gaoling_sites", yes, {**labels, "rung": rung})
            if not any(picture.measured("site", s.code, "reachable") for s in here):
                continue
            states = Counter(_why(rates, s) for s in here)
            for state in ("absent", "unattached", "unknown"):
                yield Sample("gaoling_sites_missing", states[state], {**labels, "state": state})
    for cause, count in sorted(Counter(picture.hidden.values()).items()):
        yield Sample("gaoling_sites_hidden", count, {"device": cause})


def _why(rates: Rates, site: Site) -> str:
    """Return why a site is missing; "" when it is reachable."""
    verdict = rates.picture.verdict(Subject("site", site.code, site.name, ""), "reachable")
    if verdict.because == NOT_ATTACHED:
        return "unattached"
    return {State.NO: "absent", State.UNKNOWN: "unknown", State.YES: ""}[verdict.state]


def _routers(rates: Rates) -> Iterator[Sample]:
    """Yield how many routers of each role and county were seen alive, and dead."""
    picture, city = rates.picture, rates.city
    seen: Counter[tuple[str, str, str]] = Counter()
    for device in city.devices:
        if device.role is Role.VANTAGE or not picture.measured("device", device.name, "reachable"):
            continue
        county = city.county_of(city.site[device.site])
        key = device.role.value, county
        seen[*key, "dead"] += device.name in picture.dead
        seen[*key, "alive"] += device.name not in picture.dead
    for (role, county, state), count in sorted(seen.items()):
        yield Sample("gaoling_routers", count, {"role": role, "county": county, "state": state})
