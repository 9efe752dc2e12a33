"""The HTTP routes, one module for each noun."""

from api.routes import (
    assets,
    chat,
    collections,
    embeddings,
    health,
    page,
    points,
    search,
    session,
    vision,
)

ROUTERS = [
    module.router
    for module in (
        collections,
        assets,
        points,
        search,
        embeddings,
        chat,
        vision,
        session,
        health,
        page,
    )
]

__all__ = ["ROUTERS"]
