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
# Not `include_router`: that goes through every router again, and twice, for each request.
ROUTES = [route for module in MODULES for route in module.router.routes]

__all__ = ["ROUTES"]
