"""`/v1/aliases`: other names by which collections are opened."""

from fastapi import APIRouter

from api.schemas.collections import Alias, AliasList, AliasTarget
from api.security import requires
from api.service import ServiceDep
from indexer import Store, UnknownCollection

router = APIRouter(prefix="/v1/aliases", tags=["aliases"])


@router.get("")
async def list_aliases(service: ServiceDep) -> AliasList:
    """List all aliases and their collections."""
    found = await service.queries(service.installation.store.aliases)
    return AliasList(aliases=[Alias(alias=k, collection=v) for k, v in found.items()])


@router.get("/{alias}")
async def get_alias(alias: str, service: ServiceDep) -> Alias:
    """The collection that an alias names."""
    return await service.queries(_find, service.installation.store, alias)


@router.put("/{alias}", dependencies=[requires("admin")])
async def set_alias(alias: str, target: AliasTarget, service: ServiceDep) -> Alias:
    """Create an alias, or move it to another collection in one step."""
    store = service.installation.store
    await service.writes(store.set_alias, alias, target.collection)
    return Alias(alias=alias, collection=target.collection)


@router.delete("/{alias}", status_code=204, dependencies=[requires("admin")])
async def delete_alias(alias: str, service: ServiceDep) -> None:
    """Remove an alias; the collection stays."""
    await service.writes(service.installation.store.drop_alias, alias)


def _find(store: Store, alias: str) -> Alias:
    known = store.aliases()
    if alias not in known:
        raise UnknownCollection(f"there is no alias {alias!r}")
    return Alias(alias=alias, collection=known[alias])
