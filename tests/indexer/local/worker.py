"""A process that edits a collection until it is killed, and says what has been acknowledged.

    python -m tests.indexer.local.worker FOLDER SEED DONE [LAST [COMPACT]]

It goes through the operations of SEED; those before number DONE were done by its predecessors, and
it ends before number LAST. After every COMPACT of them it compacts the collection.
"""

import os
import sys
from pathlib import Path

from indexer import LocalStore
from tests.indexer.model import Model
from tests.indexer.operations import Generator

NAME = "photos"


def generator(seed: int) -> Generator:
    return Generator(seed, batch=60)


def replay(operations: Generator, model: Model, count: int) -> None:
    """Bring the model to where it stands after the next `count` operations."""
    for _ in range(count):
        operations.operation(model)[1](model)


def main(
    folder: str, seed: int, done: int, last: int = sys.maxsize, compact: int = sys.maxsize
) -> None:
    operations, model = generator(seed), Model()
    replay(operations, model, done)
    collection = LocalStore(Path(folder)).open(NAME)
    os.write(1, b"ready\n")
    for number in range(done, last):
        _, operation = operations.operation(model)
        operation(collection)
        # One write to a pipe: it is there whole or not at all, whenever we are killed.
        os.write(1, f"{number + 1}\n".encode())
        operation(model)
        if number % compact == compact - 1:
            collection.compact()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
