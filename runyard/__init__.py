"""Runyard's core: manifests, plans and everything else that does not need Pulumi."""
