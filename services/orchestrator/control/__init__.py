"""Control: what the orchestrator does when it is asked, and what it tells of itself."""
