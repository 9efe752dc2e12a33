"""Where the driver and the actors meet: an actor on the driver's machine.

It keeps only what is on its way. The other actors reach neither the ledger nor the server: what
they want to know of the collection they ask here. What the ledger has is looked up at once, all
else the driver answers.
"""

import asyncio
import pickle
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol, cast
from uuid import UUID

import ray

from indexer.base import Collection, Page, Record, Schema
from indexer.filters import Filter
from indexer.ledger import Ledger, LedgerRow
from ingestion.encoding import Encoded, Staged
from ingestion.pipes import Stopped

Packed = bytes | None
"""A pickle; None where there is nothing more to come."""


class Desk:
    """To be run as an asynchronous actor; groups are numbered from 0."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._groups: dict[int, asyncio.Future[Packed]] = {}
        self._questions: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[Packed]] = {}
        self._asked = 0
        self._tries: Counter[int] = Counter()
        self._alone: dict[int, int] = {}  # the file of a group that an actor is at
        self._deaths: Counter[tuple[int, int]] = Counter()
        self._closed = asyncio.Event()

    async def offer(self, number: int, group: Packed) -> None:
        """Let a group be taken; None ends them."""
        _settle(self._group(number), group)

    async def group(self, number: int) -> Packed:
        """Waits until it is offered. It can be taken again, until it is forgotten."""
        return await self._group(number)

    async def tried(self, number: int) -> int:
        """How often a group was begun, now included: again where its actor died."""
        self._tries[number] += 1
        if number in self._alone:
            self._deaths[number, self._alone.pop(number)] += 1
        return self._tries[number]

    async def alone(self, number: int, at: int) -> int:
        """A file of a group is begun with nothing else at work; how often an actor died so."""
        self._alone[number] = at
        return self._deaths[number, at]

    async def survived(self, number: int) -> None:
        """No file of a group is at work any more."""
        self._alone.pop(number, None)

    async def forget(self, number: int, empty: bytes) -> None:
        """A group is done: whoever takes it again gets the `empty` one."""
        del self._tries[number]
        self._deaths = Counter({of: count for of, count in self._deaths.items() if of[0] != number})
        self._groups[number] = asyncio.get_running_loop().create_future()
        _settle(self._groups[number], empty)

    async def by_hash(self, hashes: Sequence[str]) -> dict[str, LedgerRow]:
        """As the ledger has it: asked for every file, so the driver is spared."""
        return await asyncio.to_thread(self._ledger.by_hash, hashes)

    async def ask(self, question: bytes) -> Packed:
        """The driver's answer; None where it gives no more."""
        number, self._asked = self._asked, self._asked + 1
        self._answers[number] = self._future()
        self._questions.put_nowait((number, question))
        try:
            return await self._answers[number]
        finally:
            del self._answers[number]

    async def question(self) -> tuple[int, bytes] | None:
        """The next one; None where there is none any more."""
        asked = await self._questions.get()
        if asked is None:
            self._questions.put_nowait(None)  # for the others who wait
        return asked

    async def answer(self, number: int, answer: bytes) -> None:
        """To the question of that number; whoever asked may be gone."""
        if number in self._answers:
            _settle(self._answers[number], answer)

    async def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed.set()
        self._questions.put_nowait(None)
        for future in (*self._groups.values(), *self._answers.values()):
            _settle(future, None)

    async def closed(self) -> None:
        """Waits until it is."""
        await self._closed.wait()

    def _group(self, number: int) -> "asyncio.Future[Packed]":
        if number not in self._groups:
            self._groups[number] = self._future()
        return self._groups[number]

    def _future(self) -> "asyncio.Future[Packed]":
        future = asyncio.get_running_loop().create_future()
        if self._closed.is_set():
            future.set_result(None)
        return future


def _settle(future: "asyncio.Future[Packed]", result: Packed) -> None:
    if not future.done():
        future.set_result(result)


class Answering(Protocol):
    """What the driver says of its collection."""

    def __call__(self, call: str, *args: Any, **options: Any) -> object: ...  # noqa: ANN401


class Asking:
    """The part of a collection that decoding uses, for a process without it."""

    def __init__(self, desk: Any, name: str, schema: Schema) -> None:  # noqa: ANN401 - an actor
        self._desk = desk
        self.name = name
        self.schema = schema
        self.ledger = _Ledger(desk)

    @property
    def collection(self) -> Collection:
        """Itself, for those who call nothing else of it."""
        return cast(Collection, self)

    def staged(self, asset: str) -> list[Record]:
        return cast(list[Record], self.ask("staged", asset))

    def get(self, ids: Sequence[UUID], *, with_vectors: Sequence[str] = ()) -> list[Record]:
        return cast(list[Record], self.ask("get", ids, with_vectors=with_vectors))

    def scroll(
        self,
        filter: Filter | None = None,  # noqa: A002 - as in `Collection`
        *,
        limit: int = 100,
        after: UUID | None = None,
        with_vectors: Sequence[str] = (),
    ) -> Page:
        page = self.ask("scroll", filter, limit=limit, after=after, with_vectors=with_vectors)
        return cast(Page, page)

    def keep(self, staged: Staged) -> None:
        """Have the driver stage points."""
        self.ask("keep", staged)

    def tell(self, group: int, encoded: Sequence[Encoded]) -> None:
        """Have the driver take what is finished of a group, which it may have had before."""
        self.ask("tell", group, encoded)

    def ask(self, call: str, *args: object, **options: object) -> object:
        """Raises `Stopped` where the driver answers no more."""
        answer = ray.get(self._desk.ask.remote(pickle.dumps((call, args, options))))
        if answer is None:
            raise Stopped
        return pickle.loads(answer)  # noqa: S301 - the driver's


class _Ledger:
    def __init__(self, desk: Any) -> None:  # noqa: ANN401 - an actor
        self._desk = desk

    def by_hash(self, hashes: Sequence[str]) -> dict[str, LedgerRow]:
        return cast(dict[str, LedgerRow], ray.get(self._desk.by_hash.remote(hashes)))
