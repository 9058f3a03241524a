"""Runs: commands that are run once as an instance of a revision, from their making to their removal."""
