"""An open collection in a forked child: it goes on working, in both."""

import os
import threading
import traceback
from collections.abc import Callable

import pytest

from indexer import LocalCollection, LocalStore
from tests.indexer.local.points import assert_holds, point, points, vector

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked child; the child's number, to be waited for."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - the child may not return
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def succeeded(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_parent_and_children_read_and_write(collection: LocalCollection) -> None:
    collection.upsert(points(range(10)))
    collection.search(vector(1))

    def work() -> None:
        assert collection.count() >= 10
        for number in range(100, 150):
            collection.upsert([point(number)])
        assert collection.search(vector(120), limit=1).hits[0].id == point(120).id

    child = in_child(work)
    for number in range(200, 250):
        collection.upsert([point(number)])
        collection.count()
    assert succeeded(child)
    expected = [*range(10), *range(100, 150), *range(200, 250)]
    assert_holds(collection, points(expected))
    collection.verify()


def test_a_child_forked_while_others_work_is_not_stuck(
    store: LocalStore, collection: LocalCollection
) -> None:
    collection.upsert(points(range(10)))
    stop = threading.Event()

    def churn() -> None:
        number = 1000
        while not stop.is_set():
            collection.upsert([point(number)])
            collection.count()
            store.open("photos")
            number += 1

    threads = [threading.Thread(target=churn) for _ in range(2)]
    for thread in threads:
        thread.start()

    def work() -> None:
        store.open("photos").upsert([point(1)])
        assert collection.count() >= 10

    try:
        results = [succeeded(in_child(work)) for _ in range(15)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert results == [True] * 15
    collection.verify()
