"""Unit tests of the sample workload: the real program, over real sockets."""
