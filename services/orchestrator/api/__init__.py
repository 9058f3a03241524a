"""API: what may be asked of the orchestrator over HTTP, and by whom."""
