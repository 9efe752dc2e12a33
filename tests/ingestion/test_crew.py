"""Decoding in processes of its own: whatever a file does there, nothing else is harmed."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from encoders import Pixels, RGBImage
from encoders.base import Preprocess, Use
from encoders.fake import FakeEncoder
from indexer import LocalCollection
from ingestion import IngestOptions, Limits
from ingestion.crew import Crew
from ingestion.errors import DecoderLost
from ingestion.messages import Described, Looked, Order, Setup, Shown
from ingestion.options import VideoOptions
from ingestion.pipes import Stopped
from ingestion.reading import Reader
from tests import media as make
from tests.ingestion.test_pipeline import run

LIMITS = Limits(max_seconds=2)
CRASHES = {
    "red": r"the decoder crashed on it \(SIGSEGV\)",
    "lime": r"the decoder crashed on it \(SIGABRT\)",
    "blue": r"decoding made no progress for 2 s and was stopped",
    "white": "the process decoding it was killed: it may take more memory than there is",
    "yellow": r"the decoder ended on it \(exit code 7\)",
    "cyan": "too large for the available memory",
}


def treacherous(image: RGBImage, use: Use = "search") -> Pixels:
    """Real crashes of the process, each on small pictures of one colour."""
    pixels = FakeEncoder().preprocess(image, use)
    if np.asarray(image).shape == (48, 64, 3) and pixels.std(axis=(0, 1)).max() < 2:
        match tuple((pixels.mean(axis=(0, 1)) > 128).tolist()):
            case (True, False, False):
                ctypes.string_at(0)
            case (False, True, False):
                os.abort()
            case (False, False, True):
                time.sleep(3600)
            case (True, True, True):
                os.kill(os.getpid(), 9)
            case (True, True, False):
                os._exit(7)
            case (False, True, True):
                np.ones(1 << 40, np.uint8)
    return pixels


class Treacherous(FakeEncoder):
    """An encoder whose pictures kill."""

    @property
    def preprocess(self) -> Preprocess:
        return treacherous


def save_treacherous(folder: Path) -> None:
    for colour in CRASHES:
        (folder / f"{colour}.png").write_bytes(make.encoded(make.plain(colour), "PNG"))


def look_and_decode(looked: Looked) -> Order:
    assert looked.kind == "image"
    return Order()


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew(Setup(FakeEncoder().preprocess, LIMITS, VideoOptions()))
    yield crew
    crew.stop()


def test_a_file_that_kills_its_decoder_fails_alone(
    media: Path, collection: LocalCollection
) -> None:
    make.save_pictures(media, 20)
    save_treacherous(media)
    options = IngestOptions(limits=LIMITS, workers=2)
    report, events = run(media, Treacherous(), collection, options)
    assert (report.done, report.failed) == (20, len(CRASHES))
    for colour, reason in CRASHES.items():
        assert events[f"{colour}.png"].status == "failed"
        assert re.fullmatch(reason, events[f"{colour}.png"].reason)


def test_a_file_that_cannot_even_be_opened_to_an_end_is_given_up(media: Path) -> None:
    pipe = media / "pipe.jpg"
    os.mkfifo(pipe)  # what was a file when it was listed
    crew = Crew(Setup(FakeEncoder().preprocess, Limits(max_seconds=0.5), VideoOptions()))
    with crew.helper() as helper, pytest.raises(DecoderLost, match=r"no progress for 0\.5 s"):
        list(helper.read(pipe, look_and_decode))


def test_a_process_says_what_a_reader_would(media: Path, crew: Crew) -> None:
    path = make.save_pictures(media, 1)[0]
    reader = Reader(Setup(FakeEncoder().preprocess, LIMITS, VideoOptions()))
    with crew.helper() as helper:
        there = list(helper.read(path, look_and_decode))
    here = list(reader.read(path, look_and_decode))
    assert [type(answer) for answer in there] == [Shown, Described]
    assert isinstance(here[0], Shown)
    assert isinstance(there[0], Shown)
    assert (here[0].pixels == there[0].pixels).all()
    assert here[1] == there[1]


def test_a_process_is_kept_for_the_next_ingestion(media: Path, crew: Crew) -> None:
    path = make.save_pictures(media, 1)[0]
    seen = set()
    for _ in range(3):
        with crew.helper() as helper:
            list(helper.read(path, look_and_decode))
            seen |= processes_of(os.getpid())
    assert len(seen) == len(processes_of(os.getpid())) >= 1


def test_a_process_that_died_at_rest_is_replaced(media: Path, crew: Crew) -> None:
    path = make.save_pictures(media, 1)[0]
    with crew.helper() as helper:
        list(helper.read(path, look_and_decode))
    for process in processes_of(os.getpid()):
        os.kill(process, signal.SIGKILL)
    with crew.helper() as helper:
        assert len(list(helper.read(path, look_and_decode))) == 2


def test_leaving_a_file_early_costs_the_process_alone(media: Path, crew: Crew) -> None:
    path = make.save_video(media / "v.mp4", make.frames(["red"], each=60))
    with crew.helper() as helper:
        frames = helper.read(path, lambda _: Order())
        next(frames)
        before = processes_of(os.getpid())
        frames.close()  # type: ignore[attr-defined]
        assert len(processes_of(os.getpid())) == len(before) - 1
        assert len(list(helper.read(path, lambda _: Order()))) > 4


def test_stopping_frees_whoever_waits(media: Path) -> None:
    (media / "blue.png").write_bytes(make.encoded(make.plain("blue"), "PNG"))
    crew = Crew(Setup(treacherous, Limits(), VideoOptions()))
    waiting = threading.Event()

    def decide(_: Looked) -> Order:
        waiting.set()
        return Order()

    def wait() -> None:
        with crew.helper() as helper, pytest.raises(Stopped):
            list(helper.read(media / "blue.png", decide))

    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(wait)
        assert waiting.wait(60)
        crew.stop()
        waiter.result(60)


@pytest.mark.parametrize("preprocess", ["lambda image, use='search': None", "Homemade()"])
def test_preprocessing_that_cannot_travel_is_refused(preprocess: str, media: Path) -> None:
    script = f"""
from pathlib import Path
from ingestion.crew import Crew
from ingestion.errors import DecoderLost
from ingestion.messages import Order, Setup
from ingestion.options import Limits, VideoOptions

class Homemade:
    def __call__(self, image, use="search"): ...

crew = Crew(Setup({preprocess}, Limits(), VideoOptions()))
with crew.helper() as helper:
    list(helper.read(Path("any"), lambda _: Order()))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=media, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ingestion.errors.DecoderUnfit: this encoder's preprocessing")
    assert "must be in a module that can be imported" in last


INGEST = """
import sys
from pathlib import Path
from indexer import LocalStore, Schema
from ingestion import IngestOptions, ingest, walk
from tests.ingestion.conftest import schema_of
from tests.ingestion.test_crew import LIMITS, Treacherous

encoder = Treacherous()
collection = LocalStore(Path(sys.argv[1])).create("photos", schema_of(encoder))
options = IngestOptions(limits=LIMITS, workers=3)
for _ in ingest(walk(Path(sys.argv[2])), encoder, collection, options):
    print(flush=True)
"""


def test_no_process_outlives_the_one_that_started_it(media: Path, tmp_path: Path) -> None:
    make.save_pictures(media, 300)
    (media / "00000a.png").write_bytes(make.encoded(make.plain("blue"), "PNG"))
    command = [sys.executable, "-c", INGEST, str(tmp_path / "data"), str(media)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        children = processes_of(parent.pid)
        parent.kill()
    assert children
    deadline = time.monotonic() + 60
    while any(is_running(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def processes_of(parent: int) -> set[int]:
    """The decoding processes that a process has started."""
    listed = Path(f"/proc/{parent}/task").glob("*/children")
    found = {int(child) for file in listed for child in file.read_text().split()}
    return {child for child in found if is_running(child)}


def is_running(process: int) -> bool:
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"ingestion.worker" in command  # empty where it is dead and waited for
