"""Scaling: how many instances each revision should have, by its rollouts and by its load."""
