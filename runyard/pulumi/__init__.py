"""Pulumi as Runyard's own programs meet it: the one room of the core that knows it."""
