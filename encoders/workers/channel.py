"""Messages between processes: arrays are sent as raw memory, not pickled."""

import pickle
from multiprocessing.connection import Connection
from typing import Any


def send(connection: Connection, message: object) -> None:
    """Raises `OSError` where nobody listens any more."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    connection.send_bytes(len(buffers).to_bytes(4, "little") + body)
    for buffer in buffers:
        connection.send_bytes(buffer.raw())


def receive(connection: Connection) -> Any:  # noqa: ANN401 - what was sent
    """The next message, from a process of our own; raises `EOFError` where there will be none."""
    body = memoryview(connection.recv_bytes())
    # bytearrays, so that arrays can be written to like those that were sent
    buffers = [
        bytearray(connection.recv_bytes()) for _ in range(int.from_bytes(body[:4], "little"))
    ]
    return pickle.loads(body[4:], buffers=buffers)  # noqa: S301
