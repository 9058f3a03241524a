"""Adapters: all that knows the database, the registry and the ledger."""
