"""TLS: the certificates of public hosts."""
