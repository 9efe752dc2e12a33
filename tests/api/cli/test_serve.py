import signal
from pathlib import Path

import pytest

from tests.api.chat.test_proxy import HELLO
from tests.api.processes import COMMAND, process
from tests.encoders.heads.chats import bytes_checkpoint

COUNTING = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count(), len(gc.get_objects())))
"""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": "blue"}),
        ("/v1/chat/completions", {"messages": HELLO, "max_tokens": 4}),
    ],
)
def test_what_was_loaded_is_left_out_of_garbage_collection(
    tmp_path: Path, path: str, body: dict[str, object]
) -> None:
    """The encoder at the start, and torch with the first chat."""
    chat = str(bytes_checkpoint(tmp_path / "InternVL2-1B-tiny"))
    settings = {"encoder": "fake", "chat": chat, "device": "cpu"}
    with process(tmp_path / "data", settings, COUNTING + COMMAND) as served:
        answer = served.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        assert served.end(signal.SIGTERM) == 0
        assert served.child.stdout is not None
        apart, left = map(int, served.child.stdout.read().split())
    assert apart > left
