"""Floor 4: the Grafana dashboards that belong to this version."""
