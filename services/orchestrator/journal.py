"""Journal of the orchestrator: that of every service."""

from runyard.journal import Journal, JsonJournal

__all__ = ["Journal", "JsonJournal"]
