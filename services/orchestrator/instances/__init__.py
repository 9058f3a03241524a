"""Instances: those that are there, what should become of each, and the work that makes it so."""
