"""`/v1/collections`"""

import logging
from typing import get_args

from fastapi import APIRouter, Response

from api import indexes, retention
from api.fields import fields
from api.refusals import refusals
from api.routes.points import Kinds, of_kinds
from api.schemas.collections import (
    CollectionDetail,
    CollectionInfo,
    CollectionList,
    FieldList,
    NewCollection,
)
from api.schemas.indexes import IndexReport
from api.security import requires
from api.service import Service, ServiceDep
from indexer import Collection, Filter, IndexerError, Store, UnknownCollection
from indexer.base import Kind

logger = logging.getLogger("polylens")
router = APIRouter(prefix="/v1/collections", tags=["collections"])


@router.get("")
async def list_collections(service: ServiceDep) -> CollectionList:
    """All collections of this installation."""
    return await service.queries(_list, service)


@router.post("", status_code=201, dependencies=[requires("admin")], responses=refusals(409))
async def create_collection(
    new: NewCollection, service: ServiceDep, response: Response
) -> CollectionDetail:
    """Create a collection for the installation's encoder."""
    collection = await service.writes(service.installation.create, new.name)
    response.headers["Location"] = f"/v1/collections/{collection.name}"
    return await service.queries(detail, collection)


@router.get("/{name}")
async def describe_collection(name: str, service: ServiceDep) -> CollectionDetail:
    """Describe a collection."""
    return await service.queries(lambda: detail(service.open(name)))


@router.get("/{name}/fields")
async def list_fields(name: str, service: ServiceDep, kind: Kinds = None) -> FieldList:
    """List the payload fields that you can filter on, and their values.

    Of a large collection a sample is looked at.
    """
    return await service.queries(lambda: fields(service.open(name), of_kinds(kind)))


@router.get("/{name}/index")
async def describe_index(name: str, service: ServiceDep) -> IndexReport:
    """Show the disk use, the index and the calibration of a collection."""
    return await service.queries(lambda: indexes.report(service.installation, service.open(name)))


@router.delete("/{name}", status_code=204, dependencies=[requires("admin")])
async def delete_collection(name: str, service: ServiceDep) -> None:
    """Delete a collection, its thumbnails, and uploads that no other collection uses.

    Files that were ingested from folders stay where they are.
    """
    await service.writes(retention.drop, service.installation, name)


def _list(service: Service) -> CollectionList:
    store, default = service.installation.store, service.installation.settings.collection
    names = store.names()
    return CollectionList(
        collections=[info for name in names if (info := _known(store, name))],
        default=default if default in [*names, *store.aliases()] else next(iter(names), None),
    )


def _known(store: Store, name: str) -> CollectionInfo | None:
    """None for one that was dropped meanwhile or cannot be read, which must not hide the others."""
    try:
        return _info(store.open(name))
    except UnknownCollection:
        return None
    except IndexerError as error:
        logger.error("collection %r cannot be listed: %s", name, error)
        return None


def _info(collection: Collection) -> CollectionInfo:
    return CollectionInfo(
        name=collection.name,
        points=collection.count(),
        encoder=collection.schema.encoder,
        vectors=dict(collection.schema.vectors),
    )


def detail(collection: Collection) -> CollectionDetail:
    """Describe a collection."""
    kinds = {kind: collection.count(_of_kind(kind)) for kind in get_args(Kind)}
    return CollectionDetail(**_info(collection).model_dump(), kinds=kinds)


def _of_kind(kind: str) -> Filter:
    return Filter.parse({"must": [{"key": "kind", "match": {"value": kind}}]})
