import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from api.serial import SerialEncoder
from encoders import Pixels, Vectors
from encoders.fake import FakeEncoder
from tests.media import plain


class Watched(FakeEncoder):
    """Counts how many threads are on its device at once."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self._count = threading.Lock()

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        with self._count:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.002)
        with self._count:
            self.inside -= 1
        return super().encode_pixels(pixels, normalize=normalize)


def test_one_thread_at_a_time_and_the_same_numbers() -> None:
    watched = Watched()
    encoder = SerialEncoder(watched)
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda _: encoder.encode_images([plain("red")])["default"], range(24)))
    assert watched.most == 1
    direct = FakeEncoder().encode_images([plain("red")])["default"]
    assert all(np.array_equal(row, direct) for row in rows)
    assert np.array_equal(
        encoder.encode_texts(["red"])["default"], FakeEncoder().encode_texts(["red"])["default"]
    )
    assert np.array_equal(
        encoder.preprocess(plain("red"), "frame"), FakeEncoder().preprocess(plain("red"), "frame")
    )
    assert encoder.info == FakeEncoder.info
