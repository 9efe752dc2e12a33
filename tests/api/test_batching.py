"""Queries of many threads through one encoder: together, fairly, and each with its own error."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest

from api.batcher import Batcher, BatchOptions, WorkerLost
from api.batching import BatchingEncoder
from api.offload import Overloaded
from api.patience import PATIENCE, ClientGone, Patience, TooLate
from encoders import InvalidInput, Pixels, Vectors
from encoders.fake import FakeEncoder
from tests.media import plain


class Watched(FakeEncoder):
    """Remembers its batches, and how many threads were on its device at once."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.texts: list[list[str]] = []
        self.go = threading.Event()
        self.go.set()
        self._count = threading.Lock()

    def _visit(self) -> None:
        with self._count:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.go.wait(10)
        with self._count:
            self.inside -= 1

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts.append(list(texts))
        self._visit()
        return super().encode_texts(texts)

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        self._visit()
        return super().encode_pixels(pixels, normalize=normalize)


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not true():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_the_numbers_are_the_encoders_own() -> None:
    encoder, direct = BatchingEncoder(FakeEncoder()), FakeEncoder()
    texts = ["red", "blue", "red", "a long text about green"]
    for _ in range(2):  # the second time from memory
        found = encoder.encode_texts(texts)["default"]
        np.testing.assert_array_equal(found, direct.encode_texts(texts)["default"])
    images = [plain("red"), plain("blue")]
    for normalize in (True, False):
        np.testing.assert_array_equal(
            encoder.encode_images(images, normalize=normalize)["default"],
            direct.encode_images(images, normalize=normalize)["default"],
        )
    assert encoder.encode_texts([])["default"].shape == (0, direct.info.vectors["default"])
    assert encoder.info == direct.info


def test_what_waits_while_the_device_is_busy_runs_together() -> None:
    watched = Watched()
    encoder = BatchingEncoder(watched)
    watched.go.clear()
    with ThreadPoolExecutor(16) as pool:
        first = pool.submit(encoder.encode_texts, ["first"])
        eventually(lambda: len(watched.texts) == 1)
        others = [pool.submit(encoder.encode_texts, [f"text {n}"]) for n in range(15)]
        eventually(lambda: encoder.waiting == 15)
        watched.go.set()
        first.result()
        for number, other in enumerate(others):
            row = FakeEncoder().encode_texts([f"text {number}"])["default"]
            np.testing.assert_array_equal(other.result()["default"], row)
    assert [len(batch) for batch in watched.texts] == [1, 15]


def test_one_thread_at_a_time_is_on_the_device() -> None:
    watched = Watched()
    encoder = BatchingEncoder(watched, BatchOptions(max_batch=4))

    def call(number: int) -> None:
        if number % 3 == 0:
            encoder.encode_texts([f"text {number}"])
        elif number % 3 == 1:
            encoder.encode_images([plain("red")])
        else:
            encoder.encode_texts([f"bulk {number} {n}" for n in range(5)])

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(call, range(60)))
    assert watched.most == 1


def test_a_known_text_costs_nothing() -> None:
    watched = Watched()
    encoder = BatchingEncoder(watched)
    for _ in range(3):
        encoder.encode_texts(["red", "blue"])
    assert watched.texts == [["red", "blue"]]


def test_a_bad_item_fails_its_own_call_alone() -> None:
    def run(items: Sequence[int]) -> list[int]:
        busy.wait(10)
        if 13 in items:
            raise InvalidInput("thirteen")
        return [2 * item for item in items]

    busy = threading.Event()
    batcher = Batcher(run, BatchOptions())
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, [0])
        eventually(lambda: batcher.waiting == 0 and first.running())
        good = [pool.submit(batcher, [n, n]) for n in (1, 2, 3)]
        bad = pool.submit(batcher, [13])
        eventually(lambda: batcher.waiting == 7)
        busy.set()
        assert [future.result() for future in good] == [[2, 2], [4, 4], [6, 6]]
        with pytest.raises(InvalidInput, match="thirteen"):
            bad.result()
    assert batcher([5]) == [10]


def test_texts_of_like_length_run_together() -> None:
    batches: list[list[str]] = []

    def run(items: Sequence[str]) -> list[int]:
        batches.append(list(items))
        busy.wait(10)
        return [len(item) for item in items]

    busy = threading.Event()
    batcher = Batcher(run, BatchOptions(max_batch=3), length=len)
    texts = ["a", "b" * 90, "c" * 2, "d" * 95, "e" * 3, "f" * 99]
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(batcher, ["first"])
        eventually(lambda: bool(batches))
        others = []
        for waiting, text in enumerate(texts, 1):
            others.append(pool.submit(batcher, [text]))
            eventually(lambda waiting=waiting: batcher.waiting == waiting)  # type: ignore[misc]
        busy.set()
        assert [other.result() for other in others] == [[len(text)] for text in texts]
        first.result()
    assert [sorted(map(len, batch)) for batch in batches[1:]] == [[1, 2, 3], [90, 95, 99]]


def test_a_full_queue_refuses() -> None:
    def run(items: Sequence[int]) -> list[int]:
        busy.wait(10)
        return list(items)

    busy = threading.Event()
    batcher = Batcher(run, BatchOptions(max_queue=3))
    with ThreadPoolExecutor(4) as pool:
        running = pool.submit(batcher, [0])
        eventually(lambda: batcher.waiting == 0 and running.running())
        waiting = pool.submit(batcher, [1, 2])
        eventually(lambda: batcher.waiting == 2)
        with pytest.raises(Overloaded):
            batcher([3, 4])
        busy.set()
        assert waiting.result() == [1, 2]


def test_work_that_nobody_waits_for_is_not_done() -> None:
    done: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        done.extend(items)
        busy.wait(10)
        return list(items)

    def within(patience: Patience, number: int) -> list[int]:
        def call() -> list[int]:
            PATIENCE.set(patience)
            return batcher([number])

        return copy_context().run(call)

    busy = threading.Event()
    batcher = Batcher(run, BatchOptions())
    left, late = Patience(), Patience.of(0.05)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(batcher, [0])
        eventually(lambda: done == [0])
        gone = pool.submit(within, left, 1)
        expired = pool.submit(within, late, 2)
        eventually(lambda: batcher.waiting == 2)
        left.gone.set()
        with pytest.raises(TooLate):  # while the device is still busy
            expired.result()
        busy.set()
        with pytest.raises(ClientGone):
            gone.result()
        first.result()
    assert batcher([3]) == [3]
    assert done == [0, 3]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_dies_is_replaced() -> None:
    def run(items: Sequence[str]) -> list[str]:
        if "die" in items:
            dying.append(threading.current_thread())
            raise SystemExit("killed")
        return list(items)

    dying: list[threading.Thread] = []
    batcher = Batcher(run, BatchOptions())
    with pytest.raises(WorkerLost, match="worker died"):
        batcher(["die"])
    assert batcher.deaths == 1
    assert batcher(["live"]) == ["live"]
    dying[0].join()  # its last words belong to this test


def test_what_an_encoder_cannot_do_is_told() -> None:
    encoder = BatchingEncoder(FakeEncoder())
    with pytest.raises(InvalidInput, match="fake cannot caption"):
        encoder.caption([plain("red")])
    with pytest.raises(InvalidInput, match="fake cannot match"):
        encoder.match([plain("red")], ["red"])


def test_a_large_job_ends_between_its_calls_when_its_time_is_over() -> None:
    """Such as the prompts of many classes, which are encoded some hundred at a time."""
    calls = 0

    class Counted(FakeEncoder):
        def encode_texts(self, texts: Sequence[str]) -> Vectors:
            nonlocal calls
            calls += 1
            return super().encode_texts(texts)

    encoder = BatchingEncoder(Counted(), BatchOptions(max_batch=4))
    words = [f"thing {number}" for number in range(8)]

    def late() -> None:
        encoder.encode_texts(words)
        PATIENCE.set(Patience.of(-1))
        encoder.encode_texts(words)

    with pytest.raises(TooLate):
        copy_context().run(late)
    assert calls == 1
