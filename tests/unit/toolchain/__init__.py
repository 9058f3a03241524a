"""Unit tests of the toolchain: real sockets, real processes, small programs written by the test."""
