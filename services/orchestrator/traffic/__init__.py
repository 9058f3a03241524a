"""Traffic: shares over revisions, in force and on their way. Pure."""
