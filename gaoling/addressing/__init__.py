"""Which IPv6 prefix everything has: sparse, on nibble boundaries, persistent through a lock."""

from gaoling.addressing.lock import LockError, read_lock, write_lock
from gaoling.addressing.plan import Plan, Tenant, plan_city

__all__ = ["LockError", "Plan", "Tenant", "plan_city", "read_lock", "write_lock"]
