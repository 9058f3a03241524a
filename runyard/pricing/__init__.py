"""Pricing: prices over time and the rating of what was used; it knows no manifest, so that services can hold it."""
