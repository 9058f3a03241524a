"""Git: the manifests of a commit, read without a checkout of it."""
