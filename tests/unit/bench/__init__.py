"""Unit tests of the benchmarks' own parts."""
