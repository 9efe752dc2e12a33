import asyncio
import threading
import time

import pytest

from api.batcher import BatchOptions
from api.batching import BatchingEncoder
from api.offload import Lane, Overloaded, aside
from tests.api.test_batching import Watched, eventually


def test_calls_run_in_threads_and_errors_come_back() -> None:
    async def run() -> None:
        lane = Lane(threads=2)
        assert await lane(threading.get_ident) != threading.get_ident()
        assert await lane(int, "ff", base=16) == 255
        with pytest.raises(ZeroDivisionError):
            await lane(divmod, 1, 0)

    asyncio.run(run())


def test_a_full_line_is_refused_and_then_drains() -> None:
    async def run() -> None:
        lane = Lane(threads=1, waiting=2)
        gate = threading.Event()
        waiting = [asyncio.create_task(lane(gate.wait, 10)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded):
            await lane(int)
        gate.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await lane(int) == 0

    asyncio.run(run())


def test_who_has_a_thread_but_no_place_is_in_line() -> None:
    async def run() -> None:
        lane = Lane(threads=1, waiting=1, aside=1)
        gate = threading.Event()
        calls = [asyncio.create_task(lane(gate.wait, 10)) for _ in range(2)]
        await asyncio.to_thread(eventually, lambda: lane.waiting == 1)
        with pytest.raises(Overloaded):
            await lane(int)
        gate.set()
        assert await asyncio.gather(*calls) == [True] * 2
        assert lane.waiting == 0

    asyncio.run(run())


def test_who_waits_aside_gives_its_place_to_another() -> None:
    async def run() -> None:
        lane = Lane(threads=1, aside=1)
        done, beside = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait() -> bool:
            with aside():
                loop.call_soon_threadsafe(beside.set)
                return done.wait(10)

        waiting = asyncio.create_task(lane(wait))
        await beside.wait()
        assert await lane(int, "7") == 7
        done.set()
        assert await waiting

    asyncio.run(run())


def test_no_more_work_at_once_than_there_are_places() -> None:
    inside, most, counting = 0, 0, threading.Lock()

    def count(by: int) -> None:
        nonlocal inside, most
        with counting:
            inside += by
            most = max(most, inside)

    def work(number: int) -> int:
        count(1)
        time.sleep(0.002)
        count(-1)
        with aside():
            time.sleep(0.002)
        count(1)
        time.sleep(0.002)
        count(-1)
        return number

    async def run() -> None:
        lane = Lane(threads=2, aside=8)
        assert await asyncio.gather(*(lane(work, n) for n in range(20))) == [*range(20)]

    asyncio.run(run())
    assert most == 2


def test_texts_that_wait_for_the_encoder_hold_no_place() -> None:
    async def run() -> None:
        lane = Lane(threads=2, aside=15)
        first = asyncio.create_task(lane(encoder.encode_texts, ["first"]))
        await asyncio.to_thread(eventually, lambda: len(watched.texts) == 1)
        others = [asyncio.create_task(lane(encoder.encode_texts, [f"{n}"])) for n in range(15)]
        await asyncio.to_thread(eventually, lambda: encoder.waiting == 15)
        watched.go.set()
        await asyncio.gather(first, *others)

    watched = Watched()
    watched.go.clear()
    encoder = BatchingEncoder(watched, BatchOptions(max_batch=16))
    asyncio.run(run())
    assert [len(batch) for batch in watched.texts] == [1, 15]
