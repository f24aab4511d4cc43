"""A city in a box: OpenStack in two regions, routers in namespaces, monitoring. For one machine."""
