"""Workload: load that does not wait for answers, made from a scenario, analysed, audited, reported and compared."""
