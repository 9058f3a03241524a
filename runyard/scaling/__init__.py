"""Scaling: what decides how many instances there are; pure, and below the manifest, so that services have it too."""
