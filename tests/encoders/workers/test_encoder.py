"""Real processes with the fake encoder, which loads in no time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from encoders import InvalidInput, LoadOptions, ModelUnavailable, UnknownEncoder, load_encoder
from encoders.fake import FakeEncoder
from encoders.workers import WorkerEncoder
from encoders.workers.process import is_fatal

COUNT = 300  # images: more tasks than two workers hold at once
TWO = LoadOptions(device="cpu,cpu")
Make = Callable[..., WorkerEncoder]


@pytest.fixture
def make() -> Iterator[Make]:
    """Encoders of two workers, ended with the test."""
    made: list[WorkerEncoder] = []

    def make(**options: Any) -> WorkerEncoder:  # noqa: ANN401 - each has its own
        made.append(WorkerEncoder("fake", TWO, **options))
        return made[-1]

    yield make
    for encoder in made:
        encoder.close()


@pytest.fixture
def encoder(make: Make) -> WorkerEncoder:
    return make()


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    shades = np.random.default_rng(0).integers(0, 256, (COUNT, 3))
    return [Image.new("RGB", (8, 8), tuple(shade)) for shade in shades.tolist()]


def workers(encoder: WorkerEncoder) -> list[int]:
    """Process ids, in the order of the devices."""
    return [worker.process.pid or 0 for worker in encoder._pool.workers]


def assert_right(encoder: WorkerEncoder, images: list[Image.Image]) -> None:
    ours, theirs = encoder.encode_images(images), FakeEncoder().encode_images(images)
    np.testing.assert_array_equal(ours["default"], theirs["default"])


def test_a_list_of_devices_makes_processes() -> None:
    encoder = load_encoder("fake", TWO)
    assert isinstance(encoder, WorkerEncoder)
    with closing(encoder):
        assert len({*workers(encoder), os.getpid()}) == 3
        assert encoder.info.fingerprint == FakeEncoder.info.fingerprint
        assert encoder.info.batch_size == 4 * FakeEncoder.info.batch_size


@pytest.mark.parametrize("count", [0, 1, 2, 65, COUNT])
def test_images_come_back_in_order(
    encoder: WorkerEncoder, images: list[Image.Image], count: int
) -> None:
    assert_right(encoder, images[:count])
    pixels = [encoder.preprocess(image) for image in images[:count]]
    ours = encoder.encode_pixels(pixels, normalize=False)["default"]
    theirs = FakeEncoder().encode_pixels(pixels, normalize=False)["default"]
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("count", [0, 1, 700])
def test_texts_come_back_in_order(encoder: WorkerEncoder, count: int) -> None:
    texts = [f"{'word ' * (index * 7 % 30)}{index}" for index in range(count)]
    ours = encoder.encode_texts(texts)["default"]
    np.testing.assert_array_equal(ours, FakeEncoder().encode_texts(texts)["default"])


def test_threads_may_share_it(encoder: WorkerEncoder, images: list[Image.Image]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: assert_right(encoder, images), range(16)))


def test_an_error_comes_back_and_the_worker_goes_on(
    encoder: WorkerEncoder, images: list[Image.Image]
) -> None:
    with pytest.raises(InvalidInput, match="text 1 is empty"):
        encoder.encode_texts(["red", " "])
    with pytest.raises(ValueError, match="reshape"):
        encoder.encode_pixels([np.zeros((5, 5, 3), np.uint8)] * 100)
    assert_right(encoder, images)


def test_what_a_dead_worker_held_is_done_by_the_other(
    encoder: WorkerEncoder, images: list[Image.Image], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = workers(encoder)
    for worker in (first, second):
        os.kill(worker, signal.SIGSTOP)  # each now takes tasks and finishes none
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(assert_right, encoder, images)
        os.kill(first, signal.SIGKILL)
        os.kill(second, signal.SIGCONT)
        answer.result()
    assert_right(encoder, images)
    assert f"the worker process {first} on cpu died" in caplog.text


def test_the_dead_are_replaced(encoder: WorkerEncoder, images: list[Image.Image]) -> None:
    for _ in range(3):  # more deaths than there were workers
        first = workers(encoder)[0]
        os.kill(first, signal.SIGKILL)
        while workers(encoder)[0] == first:  # it is noticed when it is given something to do
            assert_right(encoder, images)
    assert encoder.deaths == 3
    os.kill(workers(encoder)[1], signal.SIGKILL)
    assert_right(encoder, images)


@pytest.mark.parametrize("killed", [0, 1])
def test_each_alone_is_enough(make: Make, images: list[Image.Image], killed: int) -> None:
    encoder = make(restarts=0)
    os.kill(workers(encoder)[killed], signal.SIGKILL)
    assert_right(encoder, images)


def test_what_a_hung_worker_holds_is_done_by_the_other_too(
    make: Make, images: list[Image.Image]
) -> None:
    encoder = make(patience=0.1)
    first, _ = workers(encoder)
    os.kill(first, signal.SIGSTOP)
    for _ in range(3):
        assert_right(encoder, images)
    os.kill(first, signal.SIGCONT)
    assert_right(encoder, images)


def test_without_any_worker_it_says_so(make: Make, images: list[Image.Image]) -> None:
    encoder = make(restarts=0)
    for worker in workers(encoder):
        os.kill(worker, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="no other is left: start again"):
            encoder.encode_images(images)
    assert encoder.deaths == 2


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
        (torch.AcceleratorError("device-side assert"), True),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
        (ValueError("cannot reshape"), False),
    ],
)
def test_a_device_that_is_lost_ends_its_process(error: Exception, fatal: bool) -> None:
    """Where it would answer every later task with the same error, and take them all."""
    assert is_fatal(error) == fatal


def test_what_cannot_be_loaded_raises_its_error_and_leaves_no_process() -> None:
    children = len(_children())
    with pytest.raises(UnknownEncoder, match="'no-such'"):
        load_encoder("no-such", TWO)
    assert len(_children()) == children


def test_an_encoder_that_cannot_match_says_so(
    encoder: WorkerEncoder, images: list[Image.Image]
) -> None:
    with pytest.raises(InvalidInput, match="fake cannot match"):
        encoder.match(images[:1], ["red"])
    with pytest.raises(InvalidInput, match="fake cannot caption"):
        encoder.caption(images[:1])


ORPHANS = """
import time
from encoders import LoadOptions, load_encoder

if __name__ == "__main__":
    encoder = load_encoder("fake", LoadOptions(device="cpu,cpu"))
    print(*(worker.process.pid for worker in encoder._pool.workers), flush=True)
    time.sleep(600)
"""


def test_workers_die_with_the_process_that_asks(tmp_path: Path) -> None:
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS, "utf-8")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.kill()
    deadline = time.monotonic() + 30
    while any(_is_alive(child) for child in children):
        assert time.monotonic() < deadline, f"{children} are still there"
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody waits for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def _children() -> list[object]:
    from multiprocessing import active_children

    return [*active_children()]
