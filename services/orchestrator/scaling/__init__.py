"""Scaling: how many instances each revision should have. Pure."""
