"""Logs: what instances write, taken from the engine's files into a store, and read from there."""
