"""`/` and `/docs`: the pages."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parents[1] / "static"
FRESH = {"Cache-Control": "no-cache"}


@router.get("/")
async def page() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers=FRESH)


@router.get("/docs")
async def docs() -> FileResponse:
    return FileResponse(STATIC / "docs.html", headers=FRESH)
