"""In a process of its own: what one leaves out of garbage collection, all of it does."""

import subprocess
import sys

UNLOADING = """
import gc, sys, weakref
from api.apart import collect, set_apart

class Model:
    def __init__(self):
        self.itself = self

set_apart()
model = Model()
sys.modules["library"] = sys
gc.collect()
seen = weakref.ref(model)
del model
gc.collect()
assert seen() is not None, "nothing was set apart"
collect()
assert seen() is None
assert gc.get_freeze_count() > 0
"""


def test_a_model_that_was_set_apart_can_be_let_go_of() -> None:
    done = subprocess.run([sys.executable, "-c", UNLOADING], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
