"""Backup: everything that makes a stack, in one file, and a stack made of it again (docs/adr/0033)."""
