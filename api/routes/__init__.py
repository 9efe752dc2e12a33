"""The HTTP routes, one module for each noun."""

from api.routes import assets, chat, collections, health, page, points, search, session, vision

ROUTERS = [
    module.router
    for module in (collections, assets, points, search, chat, vision, session, health, page)
]

__all__ = ["ROUTERS"]
