"""Parts of the system that some tests need and some machines lack."""

import os

import pytest


def require_part(present: bool, what: str) -> None:
    """Skip the test with a loud line, or fail it where `POLYLENS_REQUIRE_PARTS=1` is set.

    Called while a module is imported, it speaks for all the tests there.
    """
    if present:
        return
    if os.environ.get("POLYLENS_REQUIRE_PARTS") == "1":
        pytest.fail(f"{what} is missing, and POLYLENS_REQUIRE_PARTS=1 demands it")
    pytest.skip(f"NOT TESTED: {what} is missing", allow_module_level=True)
