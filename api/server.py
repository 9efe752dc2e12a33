"""The server around the service."""

import socket

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
