import json
from pathlib import Path

import httpx

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_document_is_the_live_one(client: httpx.Client) -> None:
    live = client.get("/openapi.json").json()
    assert live == json.loads(COMMITTED.read_text("utf-8")), (
        "write it anew: python -m api.app > docs/openapi.json"
    )


def test_every_reference_is_defined(client: httpx.Client) -> None:
    document = client.get("/openapi.json").text
    schemas = json.loads(document)["components"]["schemas"]
    references = {part.split('"')[0] for part in document.split("#/components/schemas/")[1:]}
    assert references <= schemas.keys()
    assert {"SearchRequest", "Filter", "Problem"} <= references


def test_the_docs_page_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in page.text.replace("<!doctype html>", "")
