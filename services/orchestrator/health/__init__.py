"""Health: what probes find out about instances."""
