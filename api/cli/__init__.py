"""The command `polylens`."""

import os

# Threads that wait by spinning starve each other where decoding and encoding share the cores. The
# OpenMP runtime reads this when torch loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from api.cli.app import main

__all__ = ["main"]
