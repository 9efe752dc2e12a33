"""State shared by the routes: the installation, its media and the lanes its work runs in."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from api.chat.engine import choose_engine
from api.heads import Heads
from api.installation import Installation
from api.intake import Intake
from api.jobs import Jobs
from api.media import Originals
from api.metrics import Metrics
from api.offload import Lane
from api.runner import Runner
from api.security import Policy
from api.stored import Stored
from api.thumbnails import Thumbnails
from api.uploads import UploadLimits, sweep
from encoders import EncoderError
from indexer import Collection, IndexerError
from ingestion import Limits

logger = logging.getLogger("polylens")
ASIDE = 128
"""Queries whose texts are at the encoder: two batches of `max_batch` as it is by default."""
AGAIN = 2.0  # seconds after which what hindered a start is tried again, doubled each time,
LONGEST_PAUSE = 30.0  # up to these


@dataclass
class Service:
    """One installation being served."""

    installation: Installation
    policy: Policy
    queries: Lane = field(default_factory=lambda: Lane(threads=16, aside=ASIDE))
    media: Lane = field(default_factory=lambda: Lane(threads=4, waiting=1_000))
    writes: Lane = field(default_factory=lambda: Lane(threads=2, waiting=64))
    segmenting: Lane = field(default_factory=lambda: Lane(threads=1, waiting=32))
    maintenance: Lane = field(default_factory=lambda: Lane(threads=1, waiting=8))
    planning: Lane = field(default_factory=lambda: Lane(threads=1, waiting=8))
    ready: bool = False
    hindered: bool = False
    draining: bool = False
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        settings = self.installation.settings
        self.metrics = Metrics()
        self.installation.timed = self.metrics.timed
        self.limits = Limits(settings.max_upload_bytes, settings.max_image_pixels)
        self.upload_limits = UploadLimits(settings.max_upload_bytes, settings.max_upload_files)
        self.originals = Originals(self.installation)
        self.thumbnails = Thumbnails(self.installation.media, self.originals, self.limits)
        self.stored = Stored(self.installation, self.originals, self.thumbnails)
        self.heads = Heads(settings)
        self.chat = choose_engine(settings, self.heads)
        self.jobs = Jobs(self.installation)
        self.intake = Intake(self.installation, self.originals, self.limits, self.jobs)
        self.runner = Runner(self.installation)

    @property
    def incoming(self) -> Path:
        """Where uploads are while they stream in: on the disk where they will be kept."""
        return self.installation.media / "incoming"

    @property
    def lanes(self) -> dict[str, Lane]:
        """By name."""
        names = ("queries", "media", "writes", "segmenting", "maintenance", "planning")
        return {name: getattr(self, name) for name in names}

    def open(self, name: str) -> Collection:
        """Raises `UnknownCollection`."""
        return self.installation.store.open(name)

    def drain(self) -> None:
        """This process is about to end: requests are finished, jobs are left to the next one."""
        self.draining = True
        self.runner.stop()

    async def warm_up(self) -> None:
        """Load the model before the first request needs it; `/readyz` tells when that is done.

        What it needs may start after this service, or be mended meanwhile: it is tried for ever.
        """
        pause = AGAIN
        while not self.ready:
            try:
                await self.queries(self._load)
                self.ready = True
            except (EncoderError, IndexerError) as error:
                self.hindered = True
                logger.error("not ready; tried again in %.0f s: %s", pause, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        try:
            await self.queries(self.installation.check_indexes)
        except IndexerError as error:
            logger.error("indexes are not checked: %s", error)

    async def close(self) -> None:
        """Let go of connections to other servers."""
        if self.chat is not None:
            await self.chat.close()

    def _load(self) -> None:
        sweep(self.incoming)
        encoder = self.installation.encoder(self.installation.collection())
        if "text" in encoder.info.modalities:
            encoder.encode_texts(["warm up"])


async def _service(request: Request) -> Service:  # a plain function would go to a thread
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]
