"""The queue of the workers, without processes."""

import threading

import pytest

from encoders import EncoderError
from encoders.workers.tasks import Task, TaskQueue

ALICE, BOB = "alice", "bob"


def queue_of(*tasks: Task, patience: float = 60) -> TaskQueue:
    queue = TaskQueue(patience)
    for task in tasks:
        queue.put(task)
    return queue


def named(name: str) -> Task:
    return Task((name, (), {}))


def test_tasks_come_in_order_each_to_one_worker() -> None:
    first, second = named("first"), named("second")
    queue = queue_of(first, second)
    assert queue.take(ALICE) is first
    assert queue.take(BOB) is second
    queue.finish(second, 2)
    queue.finish(first, 1)
    assert (first.answer.result(), second.answer.result()) == (1, 2)


def test_a_worker_waits_for_the_next_task() -> None:
    queue, task = queue_of(), named("late")
    taken: list[Task | None] = []
    waiting = threading.Thread(target=lambda: taken.append(queue.take(ALICE)))
    waiting.start()
    queue.put(task)
    waiting.join()
    assert taken == [task]


def test_an_exception_is_an_answer_too() -> None:
    task = named("wrong")
    queue = queue_of(task)
    queue.take(ALICE)
    queue.finish(task, ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        task.answer.result()


def test_a_task_that_takes_too_long_is_given_to_another_and_the_first_answer_counts() -> None:
    task = named("slow")
    queue = queue_of(task, patience=0.01)
    assert queue.take(ALICE) is task
    assert queue.take(BOB) is task
    queue.finish(task, "of bob")
    queue.finish(task, "of alice")
    assert task.answer.result() == "of bob"


def test_new_tasks_come_before_late_ones_and_nobody_gets_a_task_twice() -> None:
    slow, new = named("slow"), named("new")
    queue = queue_of(slow, patience=0.01)
    queue.take(ALICE)
    queue.put(new)
    assert queue.take(ALICE) is new
    assert queue.take(BOB) is slow


def test_what_a_worker_died_over_goes_back_to_the_front() -> None:
    first, second = named("first"), named("second")
    queue = queue_of(first, second)
    queue.take(ALICE)
    queue.bury(first, ALICE)
    assert queue.take(BOB) is first
    queue.finish(first, 1)
    assert first.answer.result() == 1


def test_a_death_over_a_task_in_other_hands_changes_nothing() -> None:
    task = named("slow")
    queue = queue_of(task, patience=0.01)
    queue.take(ALICE)
    queue.take(BOB)
    queue.bury(task, ALICE)
    queue.finish(task, 1)
    assert task.answer.result() == 1


def test_a_task_that_kills_twice_is_given_up() -> None:
    task = named("poison")
    queue = queue_of(task)
    for worker in (ALICE, BOB):
        queue.take(worker)
        queue.bury(task, worker)
    with pytest.raises(EncoderError, match="2 worker processes died over one batch"):
        task.answer.result()


def test_the_lanes_of_one_dead_worker_count_once() -> None:
    task = named("unlucky")
    queue = queue_of(task)
    for _ in range(3):
        queue.take(ALICE)
        queue.bury(task, ALICE)
    assert queue.take(BOB) is task


def test_closing_lets_everybody_go() -> None:
    running, waiting = named("running"), named("waiting")
    queue = queue_of(running, waiting)
    queue.take(ALICE)
    queue.close(EncoderError("no more"))
    assert queue.take(BOB) is None
    for task in (running, waiting):
        with pytest.raises(EncoderError, match="no more"):
            task.answer.result()
    with pytest.raises(EncoderError, match="no more"):
        queue.put(named("next"))
    queue.finish(running, "too late")
    queue.bury(waiting, ALICE)
