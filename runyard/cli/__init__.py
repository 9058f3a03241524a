"""Command line: one module for each command, `main` to start."""
