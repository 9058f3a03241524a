"""Policies: one set of rules over manifests and over Pulumi's resources, with waivers; no verdict, no apply."""
