"""The cloud half of the lab: OpenStack (Zed, Debian's packages) in two regions, with packets."""
