"""Toolchain: brings a machine what Runyard needs and nothing else. Standard library only: it runs before `.venv` is."""
