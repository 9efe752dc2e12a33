"""The command `polylens`."""

import os
import sys

# Threads that wait by spinning starve each other where decoding and encoding share the cores. The
# OpenMP runtime reads this when torch loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> None:
    """Run the command line; Ctrl-C ends it without a trace while it is still being loaded, too."""
    try:
        from api.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
