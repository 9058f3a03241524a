"""Loop: observe, decide, act."""
