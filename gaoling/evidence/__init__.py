"""What we saw with our own eyes: observations, ladders, rates. Knows nobody above it."""

from gaoling.evidence.ladder import SITE_RUNGS, SYSTEM_RUNGS, State
from gaoling.evidence.observation import Expiry, Observation, default_expiry, read_expiry
from gaoling.evidence.picture import Picture, Subject, Verdict
from gaoling.evidence.rates import DEFINITIONS, LEVELS, Definition, Missing, Rate, Rates
from gaoling.evidence.store import Store

__all__ = [
    "DEFINITIONS",
    "LEVELS",
    "SITE_RUNGS",
    "SYSTEM_RUNGS",
    "Definition",
    "Expiry",
    "Missing",
    "Observation",
    "Picture",
    "Rate",
    "Rates",
    "State",
    "Store",
    "Subject",
    "Verdict",
    "default_expiry",
    "read_expiry",
]
