"""The server around the service."""

import signal
import socket
from types import FrameType

import uvicorn

from api.service import Service


class Server(uvicorn.Server):
    """Ends what would go on for long, event streams and jobs, before it waits for requests."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

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
