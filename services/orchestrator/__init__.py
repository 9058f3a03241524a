"""The orchestrator: keeps the instances of every active revision, and the gateway in step with them."""
