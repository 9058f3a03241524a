"""Harness: what every kind of test starts, asks and waits with; one of each."""
