"""The server around the service."""

import signal
import socket
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.connection import Connection
from api.connection_limit import connection_limit
from api.service import Service


class Server(uvicorn.Server):
    """Ends what would go on for long, event streams and jobs, before it waits for requests."""

    def __init__(self, app: FastAPI, **options: Any) -> None:  # noqa: ANN401
        """`options` are those of `uvicorn.Config`."""
        self._service: Service = app.state.service
        most = self._service.installation.settings.max_connections
        protocol: Any = partial(Connection, limit=connection_limit(most))
        super().__init__(uvicorn.Config(app, http=protocol, ws="none", **options))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`; on SIGTERM and SIGINT."""
        self._service.drain()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM, once it was obeyed, is not raised anew: to end in order is exit code 0."""
        if sig == signal.SIGTERM:
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)
