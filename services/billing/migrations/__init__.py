"""Migrations: the schema of the ledger, one step a file, carried out by Alembic."""
