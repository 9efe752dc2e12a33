import threading
import time

import pytest

from ingestion.pipes import Finished, Pipe, Stopped, Window


def in_thread(target: object, *args: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=args)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_things_come_in_order_and_then_the_end() -> None:
    pipe: Pipe[int] = Pipe(10)
    for number in range(3):
        pipe.put(number)
    pipe.finish()
    assert [pipe.get(), pipe.get(), pipe.get()] == [0, 1, 2]
    with pytest.raises(Finished):
        pipe.get()


def test_the_end_waits_for_every_producer() -> None:
    pipe: Pipe[int] = Pipe(10, producers=2)
    pipe.finish()
    assert pipe.poll(0) is None
    pipe.finish()
    with pytest.raises(Finished):
        pipe.poll(0)


def test_a_full_pipe_holds_its_producer() -> None:
    pipe: Pipe[int] = Pipe(1)
    pipe.put(0)
    thread = in_thread(pipe.put, 1)
    assert pipe.get() == 0
    thread.join()
    assert pipe.get() == 1


def test_stopping_frees_those_who_wait() -> None:
    pipe: Pipe[int] = Pipe(1)
    window = Window(10)
    pipe.put(0)
    window.take(10)
    freed: list[str] = []

    def waiting(name: str, call: object, *args: object) -> None:
        with pytest.raises(Stopped):
            call(*args)  # type: ignore[operator]
        freed.append(name)

    threads = [
        in_thread(waiting, "put", pipe.put, 1),
        in_thread(waiting, "take", window.take, 1),
        in_thread(waiting, "next take", window.take, 1),
    ]
    time.sleep(0.02)
    pipe.stop()
    window.stop()
    for thread in threads:
        thread.join()
    assert sorted(freed) == ["next take", "put", "take"]
    with pytest.raises(Stopped):
        pipe.get()


def test_the_window_admits_what_fits() -> None:
    window = Window(100)
    window.take(60)
    window.take(40)
    took: list[int] = []
    thread = in_thread(lambda: took.append(int(window.take(50))))
    window.give_back(40)
    time.sleep(0.02)
    assert took == []
    window.give_back(60)
    thread.join()
    assert len(took) == 1


def test_more_than_the_window_is_admitted_alone() -> None:
    window = Window(100)
    window.take(1000)
    window.give_back(1000)
    window.take(1)
