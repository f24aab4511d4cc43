"""The definitions of the rates, number by number, on the lab's register."""

from __future__ import annotations

import pytest

from gaoling.evidence import State
from gaoling.evidence.picture import NOT_ATTACHED
from gaoling.evidence.rates import CLOUD_ADOPTION, EXTRANET_ACCESS, denominator_hash

from .conftest import NOW


def test_who_is_counted_in_cloud_adoption(observer):
    counted = {s.id for s in observer.rates().counted_systems}
    assert "police-general" in counted  # on a dedicated network: in
    assert "ganfutong" in counted  # a branch of a provincial system: in
    assert "good-bad-review" in counted  # building: in
    assert counted.isdisjoint(
        {"e-document", "finance", "city-brain"}
    )  # classified, provincial, planned
    assert len(counted) == 10


@pytest.mark.parametrize(
    ("level", "declared", "exempt"),
    [("city", 28, 0), ("county", 4, 0), ("township", 52, 7), ("village", 12, 0), ("all", 84, 7)],
)
def test_who_is_counted_in_extranet_access(observer, level, declared, exempt):
    rate = observer.whole_network().rates().extranet_access(level)
    assert (rate.declared, rate.exempt) == (declared, exempt)


def test_an_exemption_ends(observer):
    after = 1_830_300_000.0  # 2028-01-01
    rate = observer.rates(after).extranet_access("township")
    assert (rate.declared, rate.exempt) == (59, 0)


def test_a_whole_cloud_is_eight_of_ten(observer):
    rate = observer.whole_cloud().rates().cloud_adoption()
    assert (rate.observed, rate.absent, rate.unknown) == (8, 2, 0)
    assert rate.interval == (0.8, 0.8)
    assert {(m.subject, m.owner) for m in rate.missing} == {
        ("police-general", "police"),
        ("overload-control", "transport"),
    }


@pytest.mark.parametrize(
    ("level", "observed", "absent"),
    [("city", 25, 3), ("county", 4, 0), ("township", 50, 2), ("village", 7, 5), ("all", 79, 5)],
)
def test_a_whole_network_without_what_is_not_attached(observer, level, observed, absent):
    rate = observer.whole_network().rates().extranet_access(level)
    assert (rate.observed, rate.absent, rate.unknown) == (observed, absent, 0)
    assert rate.interval == (observed / (observed + absent),) * 2
    assert [m.because for m in rate.missing] == ["not attached in the register"] * absent


def test_the_labs_rates_are_neither_0_nor_1_when_all_that_is_there_answers(observer):
    """A rate of 1 would hide a denominator that forgot who is missing. Every county is attached."""
    rates = observer.whole_network().whole_cloud().rates()
    assert 0 < rates.cloud_adoption().interval[0] < 1
    for level in ("city", "township", "village", "all"):
        assert 0 < rates.extranet_access(level).interval[0] < 1, level


def test_without_data_there_is_no_rate(observer):
    assert all(rate.interval is None for rate in observer.rates().all())


def test_of_an_empty_denominator_there_is_no_rate(observer, city):
    observer.city = city.model_copy(
        update={"sites": tuple(s for s in city.sites if s.level != "village")}
    )
    rate = observer.rates().extranet_access("village")
    assert (rate.declared, rate.interval) == (0, None)


def test_what_is_unreachable_lowers_both_bounds(observer):
    rate = observer.whole_network().stop("town-360281103").rates().extranet_access("township")
    assert rate.interval == (observer.whole("township", 1),) * 2


def test_what_is_unknown_lowers_only_the_lower_bound(observer):
    observer.whole_network()
    del observer.seen["site", "360281103", "reachable", 4, "vantage-noc"]
    rate = observer.rates().extranet_access("township")
    assert rate.interval == (observer.whole("township", 1), observer.whole("township"))
    assert {m.subject: m.because for m in rate.missing if m.because != NOT_ATTACHED} == {
        "360281103": "nothing seen"
    }


def test_expired_evidence_is_unknown_and_says_so(observer):
    observer.whole_network().see("site", "360281103", "reachable", family=4, age=901)
    rate = observer.rates().extranet_access("township")
    assert (rate.unknown, rate.expired) == (1, 1)
    assert {m.subject: m.because for m in rate.missing if m.because != NOT_ATTACHED} == {
        "360281103": "evidence expired"
    }


def test_evidence_from_the_future_counts_for_nothing(observer):
    rate = observer.whole_network(age=-3600).rates().extranet_access()
    assert rate.interval is None


def test_a_system_that_is_gone_from_the_cloud_does_not_live_on_in_old_answers(observer):
    observer.whole_cloud().see(
        "system", "health", "provisioned", False, method="cloud-api", vantage="", age=1
    )
    rate = observer.rates().cloud_adoption()
    assert rate.interval == (0.7, 0.7)
    assert [m.because for m in rate.missing if m.subject == "health"] == ["not provisioned"]


def test_a_new_answer_says_that_all_below_is_there(observer):
    observer.whole_cloud(age=60).see(
        "system", "health", "reachable", False, family=4, vantage="vantage-360202001", age=60
    ).see("system", "health", "answering", family=4, method="curl", vantage="vantage-360202001",
          age=1)  # fmt: skip
    standing = observer.rates().picture.standing("system", "health")
    assert standing.states["reachable"] is State.YES
    assert observer.rates().cloud_adoption().observed == 8


def test_one_township_that_sees_the_answer_is_enough(observer):
    observer.whole_cloud()
    for system in observer.city.systems:
        observer.see("system", system.id, "answering", False, family=4, method="curl",
                     vantage="vantage-360203001")  # fmt: skip
    assert observer.rates().cloud_adoption().observed == 8


class TestFamilies:
    """Answering and reachable: over every family in service there. Dual stack is a rate apart."""

    def test_before_the_upgrade_ipv4_is_enough(self, observer):
        rates = observer.whole_network().rates()
        assert rates.extranet_access().interval == (observer.whole("all"),) * 2
        assert rates.ipv6_sites().interval is None  # nobody looked over IPv6

    def test_before_the_upgrade_ipv6_is_seen_missing(self, observer):
        observer.whole_network()
        for site in observer.city.sites:
            if site.device:
                observer.see("site", site.code, "reachable", False, family=6)
        rates = observer.rates()
        assert rates.extranet_access().interval == (observer.whole("all"),) * 2
        assert rates.ipv6_sites().interval == (0.0, 0.0)

    def test_after_the_upgrade_both_are_needed(self, observer):
        observer.dual_stack().whole_network((4, 6))
        observer.see("site", "360281103", "reachable", False, family=6, age=1)
        rates = observer.rates()
        fallen = observer.whole("township", 1)
        assert rates.extranet_access("township").interval == (fallen, fallen)
        assert rates.ipv6_sites("township").interval == (fallen, fallen)

    def test_a_family_in_service_that_nobody_looked_at_is_unknown(self, observer):
        observer.dual_stack().whole_network((4,))
        rate = observer.rates().extranet_access("township")
        assert rate.interval is None
        assert rate.unknown == observer.attached("township")

    def test_a_system_is_asked_over_the_families_of_who_asks(self, observer):
        observer.whole_cloud((4,))
        for system in observer.city.systems:
            observer.see("system", system.id, "answering", False, family=6, method="curl",
                         vantage="vantage-360202001")  # fmt: skip
        assert observer.rates().cloud_adoption().observed == 8
        assert observer.rates().ipv6_systems().interval == (0.0, 0.0)
        observer.families = {"360202001": frozenset({4, 6})}
        assert observer.rates().cloud_adoption().observed == 0


def test_the_rate_knows_the_age_of_its_oldest_evidence(observer):
    observer.whole_network(age=5).see("site", "360281103", "reachable", family=4, age=700)
    assert observer.rates().extranet_access().oldest == NOW - 700


def test_the_hash_of_the_denominator_is_of_who_is_counted_and_how():
    one = denominator_hash(CLOUD_ADOPTION, ["a", "b"])
    assert one == denominator_hash(CLOUD_ADOPTION, ["b", "a"])
    assert one != denominator_hash(CLOUD_ADOPTION, ["a", "c"])
    assert one != denominator_hash(EXTRANET_ACCESS, ["a", "b"])
