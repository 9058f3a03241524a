"""Runyard's core: manifests, plans and everything else that does not need Pulumi."""

__version__ = "0.1.0"
