"""Gateway: what it must know, and the way to it."""
