"""What holds of every rate and every ladder, whatever was seen."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gaoling.evidence import SITE_RUNGS, SYSTEM_RUNGS, Observation, Picture, Rates, State
from gaoling.evidence.ladder import Seen, climb

from .conftest import LAB, NOW, read_city

CITY = read_city(LAB)
SITES = [s.code for s in CITY.sites][25:60]
SYSTEMS = [s.id for s in CITY.systems]
DEVICES = [d.name for d in CITY.devices if d.routes]
VANTAGES = ["vantage-noc", "vantage-360202001"]

ages = st.floats(-100, 5000)
methods = st.sampled_from(["fping", "curl", "cloud-api", "ssh"])
families = st.sampled_from([4, 6])


def of(kind, subjects, rungs):
    return st.builds(
        lambda s, r, f, v, a, m, w: Observation(kind, s, r, f, v, NOW - a, m, w, ""),
        st.sampled_from(subjects), st.sampled_from(rungs), families, st.booleans(), ages, methods,
        st.sampled_from(VANTAGES),
    )  # fmt: skip


observations = st.lists(
    st.one_of(of("site", SITES, SITE_RUNGS[1:4]), of("system", SYSTEMS, SYSTEM_RUNGS[1:5]),
              of("device", DEVICES, ["reachable"])),
    max_size=60,
)  # fmt: skip
in_service = st.dictionaries(
    st.sampled_from(SITES), st.sampled_from([frozenset({4}), frozenset({4, 6})])
)
slow = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@slow
@given(observations, in_service)
def test_an_interval_lies_within_0_and_1_and_its_lower_bound_is_the_lower(seen, families):
    for rate in Rates(Picture(CITY, seen, families, NOW)).all():
        assert rate.observed + rate.absent + rate.unknown == rate.declared
        assert rate.expired <= rate.unknown
        assert len(rate.missing) == rate.declared - rate.observed
        if rate.interval:
            lower, upper = rate.interval
            assert 0 <= lower <= upper <= 1


@slow
@given(observations, in_service)
def test_expired_evidence_never_counts(seen, families):
    old = [o for o in seen if NOW - o.time > 3600]
    rates = Rates(Picture(CITY, old, families, NOW)).all()
    assert all(rate.observed == 0 and rate.interval is None for rate in rates)


@slow
@given(observations, in_service)
def test_expired_evidence_changes_no_count(seen, families):
    fresh = [o for o in seen if -60 <= NOW - o.time <= 900]
    old = [o for o in seen if NOW - o.time > 3600]
    one = Rates(Picture(CITY, fresh, families, NOW)).all()
    two = Rates(Picture(CITY, fresh + old, families, NOW)).all()
    assert [(r.observed, r.unknown, r.interval) for r in one] == [
        (r.observed, r.unknown, r.interval) for r in two
    ]


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_what_becomes_unknown_never_changes_the_upper_bound(observed, absent, unknown):
    from gaoling.evidence.rates import CLOUD_ADOPTION, Rate

    declared = observed + absent + unknown

    def rate(seen, lost):
        return Rate(CLOUD_ADOPTION, "", declared, seen, absent, lost, 0, 0, True, "", None, ())

    if observed:
        before, after = rate(observed, unknown), rate(observed - 1, unknown + 1)
        assert before.interval[1] == after.interval[1]
        assert after.interval[0] < before.interval[0]


words = st.lists(
    st.builds(Seen, st.sampled_from(SYSTEM_RUNGS[1:]), st.booleans(), st.floats(0, 100)),
    max_size=8,
)


@given(words)
def test_a_rung_implies_those_below(seen):
    states = list(climb(SYSTEM_RUNGS, seen).states.values())
    order = {State.YES: 0, State.UNKNOWN: 1, State.NO: 2}
    assert [order[s] for s in states] == sorted(order[s] for s in states)


@given(words)
def test_the_newest_word_always_stands(seen):
    if seen and len({w.time for w in seen}) == len(seen):
        newest = max(seen, key=lambda w: w.time)
        state = climb(SYSTEM_RUNGS, seen).states[newest.rung]
        assert state is (State.YES if newest.value else State.NO)
