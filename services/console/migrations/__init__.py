"""Migrations of the schema `console`, carried out by Alembic."""
