"""The command `polylens`."""

from api.cli.app import main

__all__ = ["main"]
