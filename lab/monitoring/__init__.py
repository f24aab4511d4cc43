"""The monitoring part of the lab: exporter, Prometheus, Alertmanager, perhaps Grafana."""
