"""One picture of the city at one moment: everything seen that still holds, judged together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gaoling.city import City
from gaoling.evidence.dependence import dead_devices, hidden
from gaoling.evidence.ladder import SITE_RUNGS, SYSTEM_RUNGS, Standing, State, climb, reduce
from gaoling.evidence.observation import Expiry, Kind, Observation, default_expiry

CHINA = ZoneInfo("Asia/Shanghai")
IPV4 = frozenset({4})
DUAL = frozenset({4, 6})
Families = Mapping[str, frozenset[int]]
NOT_ATTACHED = "not attached in the register"


@dataclass(frozen=True)
class Subject:
    """Who is judged, and whose it is (a department, or the code of a county)."""

    kind: Kind
    id: str
    name: str
    owner: str


@dataclass(frozen=True)
class Verdict:
    """Whether a subject stands on a rung, why not, and how old the word is that says so.

    `measured`: it was looked at, lately enough, for all that the rung asks. `expired`: it was once.
    """

    state: State
    because: str
    time: float | None
    measured: bool
    expired: bool


class Picture:
    """What is known at `now`. `families` says which are in service at a site (IPv4 if unsaid)."""

    def __init__(
        self,
        city: City,
        observations: Iterable[Observation],
        families: Families,
        now: float,
        expiry: Expiry | None = None,
    ) -> None:
        expiry = expiry or default_expiry()
        self.city = city
        self.now = now
        self.today = dt.datetime.fromtimestamp(now, CHINA).date()
        self._families = families
        self._fresh: dict[tuple[str, str], list[Observation]] = {}
        self._stale: set[tuple[str, str, str]] = set()
        holding = []
        for seen in observations:
            if expiry.holds(seen, now):
                self._fresh.setdefault((seen.kind, seen.subject), []).append(seen)
                holding.append(seen)
            else:
                self._stale.add((seen.kind, seen.subject, seen.rung))
        looked = {o.vantage for o in holding if o.kind != "system" and o.rung == "reachable"}
        self.dead = dead_devices(city, holding)
        self.hidden = hidden(city, self.dead, looked)
        self._standings: dict[tuple[str, str, bool], Standing] = {}

    def families(self, seen: Observation) -> frozenset[int]:
        """Return the families in service for it: at the site, or where the vantage stands."""
        if seen.kind == "site":
            return self._families.get(seen.subject, IPV4)
        looker = self.city.device.get(seen.vantage)
        return self._families.get(looker.site, IPV4) if looker else IPV4

    def standing(self, kind: Kind, subject: str, dual: bool = False) -> Standing:
        """Return where a subject stands on its ladder."""
        key = (kind, subject, dual)
        if key not in self._standings:
            seen = self._fresh.get((kind, subject), [])
            required = (lambda _: DUAL) if dual else self.families
            words = reduce(seen, required)
            if kind == "site" and subject in self.hidden:
                # what a dead router hides says nothing of what it hides
                words = [w for w in words if w.value or w.rung != "reachable"]
            self._standings[key] = climb(SITE_RUNGS if kind == "site" else SYSTEM_RUNGS, words)
        return self._standings[key]

    def measured(self, kind: Kind, subject: str, rung: str) -> bool:
        """Whether anything that holds was seen of it on that rung, directly."""
        return any(o.rung == rung for o in self._fresh.get((kind, subject), []))

    def verdict(self, subject: Subject, rung: str, dual: bool = False) -> Verdict:
        """Return whether a subject stands on a rung, by all that is known."""
        standing = self.standing(subject.kind, subject.id, dual)
        state = standing.states[rung]
        behind = self.hidden.get(subject.id, "") if subject.kind == "site" else ""
        measured = state is not State.UNKNOWN or bool(
            behind and self.measured(subject.kind, subject.id, rung)
        )
        expired = state is State.UNKNOWN and (subject.kind, subject.id, rung) in self._stale
        because = ""
        if subject.kind == "site" and not self.city.site[subject.id].device and not measured:
            # nothing can be probed there, and the register itself says that nothing is there
            return Verdict(State.NO, NOT_ATTACHED, None, False, False)
        if state is State.NO:
            first = next(r for r, s in standing.states.items() if s is State.NO)
            because = f"not {first}"
        elif state is State.UNKNOWN:
            because = "evidence expired" if expired else "nothing seen"
            because = f"hidden by {behind}" if behind else because
        return Verdict(state, because, standing.times.get(rung), measured, expired)
