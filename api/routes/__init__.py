"""The HTTP routes, one module for each noun."""

from api.routes import (
    aliases,
    assets,
    chat,
    classify,
    collections,
    embeddings,
    exports,
    health,
    jobs,
    maintenance,
    page,
    points,
    search,
    session,
    snapshots,
    vision,
)

MODULES = (
    *(collections, aliases, snapshots, exports, maintenance, assets, jobs, points),
    *(search, embeddings, chat, vision, classify, session, health, page),
)
ROUTERS = [module.router for module in MODULES]

__all__ = ["ROUTERS"]
