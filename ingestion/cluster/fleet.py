"""A Ray cluster with an encoder in each of some actors."""

import logging
import os
import shutil
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Self

import ray
import ray.data
from ray.exceptions import RayError

from encoders import EncoderInfo, LoadOptions
from indexer.base import Collection
from ingestion.cluster import refuse_local
from ingestion.cluster.engine import RayEngine
from ingestion.cluster.seats import Seats
from ingestion.cluster.worker import info_of
from ingestion.errors import IngestError
from ingestion.items import Item
from ingestion.options import IngestOptions
from ingestion.pipeline import ingest_by
from ingestion.progress import Progress

log = logging.getLogger(__name__)
STORE_BYTES = 200 << 20  # shared memory of a Ray of our own: what is on its way is small


class Fleet:
    """`load.device` lists devices as for a local encoder, each one an actor: see `Seats`.

    To be entered before it is used. A Ray that runs in this process already is used, and left
    running; else the one at `address` is joined, or one of this machine alone is started, and ended
    when this is left.
    """

    seats: Seats
    info: EncoderInfo

    def __init__(self, name: str, load: LoadOptions, address: str | None = None) -> None:
        self.name = name
        self.load = load
        self._address = address
        self._session: str | None = None
        self._is_ours = False

    def __enter__(self) -> Self:
        """Raises what `load_encoder` raises, wherever it does, and `IngestError`."""
        try:
            self._start()
            machines = [node for node in ray.nodes() if node["Alive"]]
            self.seats = Seats.of(self.load.device, ray.cluster_resources(), len(machines))
            self.load = replace(self.load, device=self.seats.device)
            self.info = self._ask_info()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ingest(
        self,
        items: Iterable[Item],
        collection: Collection,
        options: IngestOptions | None = None,
    ) -> Generator[Progress]:
        """As `ingestion.ingest`, by the actors; this process alone writes.

        Files must lie where every machine finds them under the same path, or at URLs. Raises
        `IngestError` for a collection in local files.
        """
        refuse_local(collection)
        make = partial(RayEngine, self)
        return ingest_by(make, items, self.info, collection, options or IngestOptions())

    def _ask_info(self) -> EncoderInfo:
        """An encoder is loaded once more for it, by whoever has room: here may be none."""
        seats = self.seats
        ask = ray.remote(num_cpus=seats.cpus, num_gpus=seats.gpus, max_retries=1)(info_of)
        try:
            info: EncoderInfo | Exception = ray.get(ask.remote(self.name, self.load))
        except RayError as error:
            raise IngestError(
                f"no actor could load the encoder {self.name}: {str(error).splitlines()[-1]}. On "
                "every machine polylens must be installed where `ray start` runs from"
            ) from error
        if isinstance(info, Exception):
            raise info
        return info

    def _start(self) -> None:
        _hush()
        if ray.is_initialized():
            return
        with _silence():
            if self._address is None:
                context = ray.init(
                    address="local",
                    include_dashboard=False,
                    object_store_memory=STORE_BYTES,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
                self._session = context.address_info["session_dir"]
            else:
                self._join(self._address)
        self._is_ours = True

    def _join(self, address: str) -> None:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise IngestError(
                f"no Ray cluster can be joined at {address}: {error}. `ray start --head` starts "
                "one, and this machine must be part of it: `ray start --address ...`"
            ) from error

    def _end(self) -> None:
        if self._is_ours:
            self._is_ours = False
            ray.shutdown()
            if self._session is not None:
                shutil.rmtree(self._session, ignore_errors=True)


def _hush() -> None:
    """Have Ray tell of nothing that we tell of ourselves, and wait as long as a server is away."""
    os.putenv("RAY_BACKEND_LOG_LEVEL", "fatal")  # for its own library, which asks the system
    # It would print what goes wrong with actors where our reports go.
    ray._private.worker.print_to_stdstream = _note
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own settings
        context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = 1  # a block for each group, to be had at once
    context.execution_no_progress_timeout_s = -1
    context.issue_detectors_config.detectors = []


def _note(data: Mapping[str, Any], ignore_prefix: bool) -> None:  # noqa: ARG001 - Ray's own
    log.info("ray: %s", " ".join(data["lines"]))


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing to standard error: Ray's library says there how much it will say."""
    with suppress(OSError):
        kept = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
