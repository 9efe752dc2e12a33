import asyncio
import threading

import pytest

from api.offload import Lane, Overloaded


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
