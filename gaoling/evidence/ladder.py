"""The ladders: how far a system or a site has come, by what was seen of it.

Rungs are cumulative: standing on one means standing on all below. The newest word wins: a yes
says the same of every rung below, a no of every rung above, and neither undoes what something
newer said. Of one moment a yes goes first: what answers can be reached, whatever a ping says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gaoling.evidence.observation import Observation

SYSTEM_RUNGS = ("declared", "provisioned", "addressed", "reachable", "answering", "used")
SITE_RUNGS = ("declared", "configured", "adjacent", "reachable", "used")
Required = Callable[[Observation], frozenset[int]]


class State(StrEnum):
    """Whether a subject stands on a rung."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Seen:
    """What is known of one rung directly, over all families and vantages."""

    rung: str
    value: bool
    time: float


@dataclass(frozen=True)
class Standing:
    """Where one subject stands: the state of each rung, and the time of what decided it.

    `measured` holds the rungs of which something was seen directly.
    """

    states: Mapping[str, State]
    times: Mapping[str, float]
    measured: frozenset[str]


def reduce(observations: Iterable[Observation], required: Required) -> list[Seen]:
    """Return one word a rung out of what was seen of one subject.

    Over families: yes when every family that `required` names (for that observation) was seen, no
    when one of them was seen missing. Over vantages: the newest word counts, and of one sweep
    (observations of one time) a vantage that sees it is enough.
    """
    groups: dict[str, dict[str, list[Observation]]] = {}
    for seen in observations:
        groups.setdefault(seen.rung, {}).setdefault(seen.vantage, []).append(seen)
    found = []
    for rung, vantages in groups.items():
        words = [w for group in vantages.values() if (w := _word(group, required)) is not None]
        best = max(words, key=lambda w: (w[1], w[0]), default=None)
        if best is not None:
            found.append(Seen(rung, *best))
    return found


def _word(group: Sequence[Observation], required: Required) -> tuple[bool, float] | None:
    """Return what one vantage says of a rung; None when it has not seen every family needed."""
    plain = [o for o in group if o.family is None]
    families = required(group[0])
    by_family = {o.family: o for o in group if o.family in families}
    noes = [o.time for o in [*plain, *by_family.values()] if not o.value]
    if noes:
        return False, max(noes)
    if len(plain) < len(group) and not families <= by_family.keys():
        return None
    return True, min(o.time for o in [*plain, *by_family.values()])


def climb(rungs: Sequence[str], seen: Iterable[Seen]) -> Standing:
    """Return where a subject stands, given one word a rung. The first rung is always held."""
    words = sorted((w for w in seen if w.rung in rungs), key=lambda w: (-w.time, not w.value))
    states = {rungs[0]: State.YES}
    times: dict[str, float] = {}
    for word in words:
        place = rungs.index(word.rung)
        decides = rungs[: place + 1] if word.value else rungs[place:]
        for rung in decides:
            if rung not in states:
                states[rung] = State.YES if word.value else State.NO
                times[rung] = word.time
    return Standing(
        {rung: states.get(rung, State.UNKNOWN) for rung in rungs},
        times,
        frozenset(w.rung for w in words),
    )
