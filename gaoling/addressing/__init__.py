"""Which IPv6 prefix everything has: sparse, on nibble boundaries, persistent through a lock."""

from gaoling.addressing.allocate import PlanError
from gaoling.addressing.book import Book
from gaoling.addressing.lock import LockError, read_lock, write_lock
from gaoling.addressing.plan import Plan, Provider, Tenant, plan_city
from gaoling.addressing.profile import Profile, ProfileError, read_profile

__all__ = [
    "Book",
    "LockError",
    "Plan",
    "PlanError",
    "Profile",
    "ProfileError",
    "Provider",
    "Tenant",
    "plan_city",
    "read_lock",
    "read_profile",
    "write_lock",
]
