"""The console's cookies: what the browser keeps, and how it is kept from others."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Response, request

from app.people.session_tokens import LONGEST
from app.web.wiring import service

SESSION = "borderpost_session"
# Holds what a page says to the next one, and the secret behind the tokens of forms.
FORMS = "borderpost_form"


@dataclass(frozen=True, slots=True)
class CookieScope:
    """For which pages the browser sends our cookies."""

    path: str
    is_https: bool

    def named(self, name: str) -> str:
        """Return a cookie's whole name: under https no other host can set one of this name."""
        return f"__Host-{name}" if self.is_https else name


def cookie_scope(public_url: str) -> CookieScope:
    """Return the scope for a public URL: the console, or the whole host where the name says so."""
    parts = urlsplit(public_url)
    is_https = parts.scheme == "https"
    return CookieScope("/" if is_https else parts.path.rstrip("/") + "/console", is_https)


def presented(name: str) -> str | None:
    """Return the value of a cookie that the browser sent."""
    return request.cookies.get(service(CookieScope).named(name)) or None


def keep(answer: Response, name: str, value: str, seconds: float) -> None:
    """Let the browser keep a cookie for a time."""
    scope = service(CookieScope)
    answer.set_cookie(
        scope.named(name),
        value,
        max_age=int(seconds),
        path=scope.path,
        secure=scope.is_https,
        httponly=True,
        samesite="Lax",
    )


def presented_token() -> str | None:
    """Return the session token that the browser sent."""
    return presented(SESSION)


def keep_token(answer: Response, token: str) -> None:
    """Let the browser keep a session token until the session ends at the latest."""
    keep(answer, SESSION, token, LONGEST.total_seconds())


def drop_token(answer: Response) -> None:
    """Let the browser forget the session token."""
    keep(answer, SESSION, "", 0)
