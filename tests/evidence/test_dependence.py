"""What a dead router does to its own site and to what lies behind it."""

from __future__ import annotations

from gaoling.evidence.dependence import hidden
from gaoling.evidence.picture import NOT_ATTACHED


def _behind(observer, county: str) -> list[str]:
    return [
        d.name for d in observer.city.devices
        if d.routes and observer.city.county_of(observer.city.site[d.site]) == county
    ]  # fmt: skip


def _causes(rate) -> set[str]:
    """Return why they are missing, but for those that the register itself does not attach."""
    return {m.because for m in rate.missing} - {NOT_ATTACHED}


def test_a_dead_county_pair_fails_its_county_and_hides_its_townships(observer):
    observer.whole_network().stop(*_behind(observer, "360281"))
    rates = observer.rates()
    assert rates.extranet_access("county").interval == (3 / 4, 3 / 4)
    townships = rates.extranet_access("township")
    assert (townships.absent, townships.unknown) == (observer.unattached("township"), 18)
    assert _causes(townships) == {"hidden by county-360281-r1, county-360281-r2"}
    assert rates.extranet_access("village").unknown == 1


def test_one_router_of_a_pair_hides_nothing(observer):
    observer.whole_network().stop("county-360281-r1")
    rates = observer.rates()
    assert rates.extranet_access("county").interval == (3 / 4, 3 / 4)
    assert rates.extranet_access("township").interval == (observer.whole("township"),) * 2


def test_a_stopped_township_fails_and_hides_its_villages(observer):
    observer.whole_network().stop("town-360281001", "village-360281001201")
    rates = observer.rates()
    assert rates.extranet_access("township").interval == (observer.whole("township", 1),) * 2
    village = rates.extranet_access("village")
    assert (village.observed, village.absent, village.unknown) == (6, 5, 1)
    (cut,) = [m for m in village.missing if m.subject == "360281001201"]
    assert cut.because == "hidden by town-360281001"


def test_a_stopped_village_router_fails_its_village(observer):
    observer.whole_network().stop("village-360281001201")
    village = observer.rates().extranet_access("village")
    assert (village.observed, village.absent, village.unknown) == (6, 6, 0)


def test_departments_on_a_dead_aggregation_router_are_hidden_by_it(observer):
    observer.whole_network().stop("agg-1")
    city = observer.rates().extranet_access("city")
    behind = [s for s in observer.units("city") if s.device == "agg-1"]
    assert (city.absent, city.unknown) == (observer.unattached("city"), len(behind))
    assert {m.subject for m in city.missing if m.because == "hidden by agg-1"} == {
        s.code for s in behind
    }
    assert _causes(city) == {"hidden by agg-1"}


def test_a_lan_that_is_down_behind_a_living_router_is_at_fault_itself(observer):
    observer.whole_network().see("site", "360281001", "reachable", False, family=4, age=1)
    township = observer.rates().extranet_access("township")
    assert township.absent == observer.unattached("township") + 1
    assert [m.subject for m in township.missing if m.because != NOT_ATTACHED] == ["360281001"]


def test_what_answers_counts_even_if_its_router_does_not(observer):
    observer.whole_network().see("device", "town-360281001", "reachable", False, family=4, age=1)
    whole = observer.whole("township")
    assert observer.rates().extranet_access("township").interval == (whole, whole)


def test_when_the_vantage_sees_nobody_the_cores_are_named(observer):
    observer.whole_network().stop(*[d.name for d in observer.city.devices if d.name != "dc1-leaf"])
    rates = observer.rates()
    rate = rates.extranet_access("all")
    assert (rate.observed, rate.unknown) == (0, observer.attached("all"))
    assert _causes(rate) == {"hidden by core-1, core-2"}


def test_nothing_dead_hides_nothing(city):
    assert hidden(city, [], ["vantage-noc"]) == {}
