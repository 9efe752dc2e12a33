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

MODULES = (  # looked through in this order for each request: those asked most come first
    *(search, embeddings, points, assets, collections, aliases, snapshots, exports, maintenance),
    *(jobs, chat, vision, classify, session, health, page),
)
ROUTERS = [module.router for module in MODULES]

__all__ = ["ROUTERS"]
