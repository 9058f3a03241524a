"""Advice on the host: what the CIS Docker Benchmark would find there, for `runyard verify --host`."""
