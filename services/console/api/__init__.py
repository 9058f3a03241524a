"""API: HTTP and nothing else: REST for members on the loopback, and what invites them on the control socket."""
