"""The session cookie: where the browser keeps the token, and how it is kept from others."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Response, request

from app.people.session_tokens import LONGEST
from app.web.wiring import service

NAME = "borderpost_session"


@dataclass(frozen=True, slots=True)
class CookieScope:
    """For which pages the browser sends our cookies."""

    path: str
    is_https: bool


def cookie_scope(public_url: str) -> CookieScope:
    """Say how far cookies reach: the console below the public URL, and nothing beside it."""
    parts = urlsplit(public_url)
    return CookieScope(parts.path.rstrip("/") + "/console", parts.scheme == "https")


def presented_token() -> str | None:
    """Return the session token that the browser sent."""
    return request.cookies.get(NAME) or None


def keep_token(answer: Response, token: str) -> None:
    """Let the browser keep a session token until the session ends at the latest."""
    scope = service(CookieScope)
    answer.set_cookie(
        NAME,
        token,
        max_age=int(LONGEST.total_seconds()),
        path=scope.path,
        secure=scope.is_https,
        httponly=True,
        samesite="Lax",
    )


def drop_token(answer: Response) -> None:
    """Let the browser forget the session token."""
    answer.delete_cookie(NAME, path=service(CookieScope).path)
