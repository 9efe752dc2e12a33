"""The HTTP service of one installation."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api import problems
from api.guard import Guard
from api.installation import Installation
from api.openapi import document
from api.routes import ROUTES
from api.security import Policy
from api.service import Service
from api.settings import Settings

STATIC = Path(__file__).parent / "static"
UNCOMPRESSED = (
    *("image/*", "video/*", "audio/*", "multipart/*", "text/event-stream"),
    *("application/octet-stream", "application/x-tar"),
)
"""Media are compressed already, and are asked for in ranges; streams must not be held back."""


def create_app(installation: Installation) -> FastAPI:
    """The service as an ASGI application; its model is loaded when it starts, not here.

    Raises `InsecureSettings` where it would be open beyond this machine without a key.
    """
    settings = installation.settings
    policy = Policy(settings)
    app = FastAPI(
        title="polylens",
        version="1",
        summary="Visual search over your own photos and videos.",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        routes=ROUTES,
    )
    app.state.service = Service(installation, policy)
    app.add_middleware(
        GZipMiddleware, minimum_size=1024, compresslevel=5, exclude_content_types=UNCOMPRESSED
    )
    app.add_middleware(
        Guard,
        policy=policy,
        metrics=app.state.service.metrics,
        max_body_bytes=settings.max_body_bytes,
        request_timeout=settings.request_timeout,
    )
    problems.install(app)
    app.state.routes = ROUTES
    app.mount("/static", PageFiles(directory=STATIC), name="static")
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


class PageFiles(StaticFiles):
    """The page's own files; browsers ask each time whether they changed."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    warming = asyncio.create_task(service.warm_up())
    service.runner.start()
    yield
    service.drain()
    await asyncio.to_thread(service.runner.join)
    warming.cancel()
    with suppress(asyncio.CancelledError):
        await warming
    await app.state.service.close()


if __name__ == "__main__":  # writes docs/openapi.json
    json.dump(
        create_app(Installation(Settings())).openapi(), sys.stdout, indent=1, ensure_ascii=False
    )
