"""Groups of files as a source of Ray Data, read while they are still being listed."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import ray
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata


class Groups(Datasource):  # type: ignore[misc]
    """A block for each group that `desk` gives: one row, its pickle in the column `group`.

    Ray may read a block again, where it was lost: groups are numbered, so it gets the same one.
    """

    def __init__(self, desk: Any) -> None:  # noqa: ANN401 - an actor
        self._desk = desk

    def estimate_inmemory_data_size(self) -> int | None:
        """Nobody knows yet."""
        return None

    def get_read_tasks(self, *_: object, **__: object) -> list[ReadTask]:
        """One, which ends with the listing."""
        desk = self._desk

        def read() -> Iterator[pa.Table]:
            number = 0
            while (group := ray.get(desk.group.remote(number))) is not None:
                yield pa.table({"group": [group]})
                number += 1

        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(read, unknown)]
