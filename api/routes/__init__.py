"""The HTTP routes, one module for each noun."""

from api.routes import assets, collections, health, page, points, search, session

ROUTERS = [module.router for module in (collections, assets, points, search, session, health, page)]

__all__ = ["ROUTERS"]
