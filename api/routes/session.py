"""`/v1/session`: the page trades a key for a cookie that scripts cannot read."""

from fastapi import APIRouter, Request, Response

from api.keys import SESSION_SECONDS
from api.schemas.session import Credentials, SessionInfo
from api.security import COOKIE, unknown_caller, unknown_key
from api.service import ServiceDep

router = APIRouter(prefix="/v1/session", tags=["session"])


@router.post("", status_code=204)
async def open_session(
    credentials: Credentials, request: Request, response: Response, service: ServiceDep
) -> None:
    """Sign a browser in for 30 days."""
    cookie = await service.queries(service.policy.keys.open_session, credentials.key)
    if cookie is None:
        service.policy.count_guess(request)
        raise unknown_key()
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


@router.get("")
async def get_session(request: Request) -> SessionInfo:
    """Show what the caller may do, so that a page offers only that."""
    if request.state.caller is None:
        raise unknown_caller()
    return SessionInfo(scope=request.state.caller.scope)


@router.delete("", status_code=204)
async def close_session(response: Response) -> None:
    """Sign a browser out."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
