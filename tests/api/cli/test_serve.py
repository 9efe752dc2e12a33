import signal
from pathlib import Path

from tests.api.processes import COMMAND, process

COUNTING = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count(), len(gc.get_objects())))
"""


def test_what_was_loaded_is_left_out_of_garbage_collection(tmp_path: Path) -> None:
    with process(tmp_path, {"encoder": "fake"}, COUNTING + COMMAND) as served:
        answer = served.client.post("/v1/embeddings", json={"input": "blue"})  # by a loaded encoder
        assert answer.status_code == 200, answer.text
        assert served.end(signal.SIGTERM) == 0
        assert served.child.stdout is not None
        apart, left = map(int, served.child.stdout.read().split())
    assert apart > left
