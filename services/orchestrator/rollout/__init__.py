"""Rollout: from a request to its outcome."""
