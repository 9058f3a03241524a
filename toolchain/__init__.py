"""Toolchain: brings a machine what Runyard needs and nothing else. Standard library only: it runs before `.venv` is."""

import os

# Runyard's own checkout, in which this lies.
CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
