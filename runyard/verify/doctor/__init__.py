"""Doctor: what a host and a checkout lack for a stack to run there, and the commands that mend it."""
