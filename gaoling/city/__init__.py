"""What the city is: typed models of the register, read from `inventories/<city>/`."""

from gaoling.city.faults import Fault, RegisterError
from gaoling.city.model import (
    Capacity,
    City,
    Confirmation,
    Department,
    Device,
    Level,
    Link,
    Provider,
    RecoveryPolicy,
    Region,
    Role,
    Site,
    System,
    Target,
)
from gaoling.city.read import read_city

__all__ = [
    "Capacity",
    "City",
    "Confirmation",
    "Department",
    "Device",
    "Fault",
    "Level",
    "Link",
    "Provider",
    "RecoveryPolicy",
    "Region",
    "RegisterError",
    "Role",
    "Site",
    "System",
    "Target",
    "read_city",
]
