"""The HTTP routes, one module for each noun."""

from api.routes import (
    assets,
    chat,
    classify,
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
        classify,
        session,
        health,
        page,
    )
]

__all__ = ["ROUTERS"]
