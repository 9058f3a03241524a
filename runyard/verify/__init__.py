"""Verification of a live stack: testinfra checks derived from its manifests, run by `runyard verify`."""
