"""The extranet half of the lab: the city's routers and hosts, each in a network namespace."""
