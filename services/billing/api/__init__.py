"""API: HTTP and nothing else: what may be read on the loopback, and what writes on the control socket."""
