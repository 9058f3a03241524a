"""Pulumi components: what `up` makes on the host, each a folder-flat noun with its children named from it."""
