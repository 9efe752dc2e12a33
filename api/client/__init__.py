"""A small client of a polylens service, blocking or not.

    with Client("http://127.0.0.1:8000", key="...") as client:
        for hit in client.search("holidays", "a cat on a sofa").hits:
            print(hit.score, hit.asset)

`AsyncClient` has the same methods, to be awaited. What the service refuses raises `ServiceError`; a
service that is busy or cannot be reached is tried again, as long as `patience` lasts.
"""

from api.client.awaited import AsyncClient
from api.client.blocking import Client
from api.refusal import ServiceError

__all__ = ["AsyncClient", "Client", "ServiceError"]
