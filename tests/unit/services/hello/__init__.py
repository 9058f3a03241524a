"""Unit tests of the sample application: the real program, over real sockets."""
