"""Meter: what requests and instances use, counted once, as metrics for looking and as windows for the ledger."""
