"""Model: revisions, instances and the other things that everything here speaks of. Frozen data."""
