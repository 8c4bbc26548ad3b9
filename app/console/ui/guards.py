"""Access to pages: the session cookie, the role, and the form's CSRF token.

Nothing is cached: a disabled user or a revoked key loses access at the next request.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from flask import Response, abort, current_app, g, redirect, request
from flask_wtf.csrf import CSRFError, generate_csrf, validate_csrf
from marshmallow import Schema
from wtforms import ValidationError

from app.access.guard import count_request
from app.access.principal import Role, check_source
from app.db.engine import Database
from app.kernel.errors import BadRequest, Forbidden
from app.kernel.hosts import is_loopback
from app.settings import Settings
from app.users.current_user import CurrentUser
from app.users.sessions import (
    TOUCHED_EVERY,
    OpenSession,
    hash_session_token,
    load_current_user,
    load_session,
    update_session,
)
from app.web.registry import current_time, get_service, reading
from app.web.requests import peer_address
from app.web.routes import Guard, Routes, V

SESSION = "borderpost_session"
# The cookie of Flask's session: flash messages, and the secret of CSRF tokens.
FORMS = "borderpost_form"
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OUR_SITE = frozenset({"same-origin", "none"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
SIGN_IN = "/console/sign-in"


@dataclass(frozen=True, slots=True)
class CookieScope:
    path: str
    is_https: bool

    def named(self, name: str) -> str:
        """With `__Host-`, no other host can set the cookie."""
        return f"__Host-{name}" if self.is_https else name


def cookie_scope(public_url: str) -> CookieScope:
    """The console, or the whole host for `__Host-`."""
    parts = urlsplit(public_url)
    is_https = parts.scheme == "https"
    return CookieScope("/" if is_https else parts.path.rstrip("/") + "/console", is_https)


def presented(name: str) -> str | None:
    return request.cookies.get(get_service(CookieScope).named(name)) or None


def keep(answer: Response, name: str, value: str, seconds: float) -> None:
    scope = get_service(CookieScope)
    answer.set_cookie(
        scope.named(name),
        value,
        max_age=int(seconds),
        path=scope.path,
        secure=scope.is_https,
        httponly=True,
        samesite="Lax",
    )


def form_token() -> str:
    """Return the CSRF token of a form, and the workspace that its page shows."""
    return f"{generate_csrf(secret_key=_key())}@{_shown_workspace(g.get('current_user'))}"


def _shown_workspace(current_user: CurrentUser | None) -> str:
    shown = current_user.workspace_access if current_user is not None else None
    return "" if shown is None else str(shown.workspace_id)


def check_form() -> None:
    """Check the CSRF token. Raises `Forbidden` (another site) or `CSRFError`."""
    if request.method in _SAFE_METHODS:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    is_foreign = site is not None and site not in _OUR_SITE
    if is_foreign or (origin is not None and not _is_ours(origin)):
        raise Forbidden("This form was sent from another site. Open the page here and try again.")
    try:
        validate_csrf(_given_token().partition("@")[0], secret_key=_key())
    except ValidationError as problem:
        raise CSRFError(str(problem)) from problem


def _given_token() -> str:
    return request.form.get("csrf_token", "")


def _check_workspace(current_user: CurrentUser) -> None:
    """Raises `BadRequest` if another window has switched the workspace since the form was shown."""
    given, shown = _given_token().partition("@")[2], _shown_workspace(current_user)
    if request.method in _SAFE_METHODS or given == shown:
        return
    names = {str(key): name for key, name in current_user.workspace_names.items()}
    raise BadRequest(
        f"This form was opened in the workspace {names.get(given, 'that you left')}, and the"
        f" console has been switched to {names.get(shown, 'none')}."
        " Nothing was changed. Switch back, reload the page and try again."
    )


def _key() -> str:
    """The signing key differs between sessions."""
    secret, session = str(current_app.secret_key), f"forms:{presented(SESSION) or ''}"
    return hmac.new(secret.encode(), session.encode(), hashlib.sha256).hexdigest()


def _is_ours(origin: str) -> bool:
    public = _parts(get_service(Settings).public_url)
    given = _parts(origin)
    if given is None or public is None:
        return False
    if given == public:
        return True
    # The page was opened at another of our addresses, which is then the Host header.
    scheme, host, _ = given
    is_as_safe = scheme == "https" or public[0] == "http" or is_loopback(host)
    return is_as_safe and given == _parts(f"{scheme}://{request.host}")


def _parts(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    return parts.scheme, parts.hostname, port


@dataclass(frozen=True, slots=True)
class RequiresRole:
    """Guard of a page: at least this role in the shown workspace, or in the organization."""

    role: Role
    of_organization: bool = False

    @property
    def rule(self) -> str:
        return f"signed in as {self.role}{' of the organization' if self.of_organization else ''}"

    def __call__(self) -> CurrentUser:
        """Raises `Forbidden`."""
        current_user = signed_in_visitor()
        if current_user is None:
            abort(_to_sign_in())
        check_form()
        if self.of_organization:
            if not current_user.permits_everywhere(self.role):
                raise Forbidden(f"This requires the role {self.role} in the whole organization.")
        elif not current_user.permits(self.role):
            raise Forbidden(
                f"This requires the role {self.role}. Your role here is {current_user.role}."
            )
        elif self.role is not Role.VIEWER:  # a viewer's forms change nothing in a workspace
            _check_workspace(current_user)
        return current_user


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Guard of the pages before sign-in; their forms have a token too."""

    rule: str = "before sign-in"

    def __call__(self) -> None:
        """Check the form token."""
        check_form()


VIEWER = RequiresRole(Role.VIEWER)
SENDER = RequiresRole(Role.SENDER)
ADMIN = RequiresRole(Role.ADMIN)
OWNER = RequiresRole(Role.OWNER, of_organization=True)
ANYONE = Anonymous()


class Pages(Routes):
    def __init__(self) -> None:
        super().__init__("Console", described=False)

    def get(
        self,
        path: str,
        guard: Guard,
        *,
        query: type[Schema] | None = None,
        kind: str | None = "text/html",
    ) -> Callable[[V], V]:
        """Declare a page, or a file; without a kind it only redirects."""
        return self.add("GET", path, guard, {200 if kind else 303: kind}, query=query)

    def post(self, path: str, guard: Guard, *, aliases: tuple[str, ...] = ()) -> Callable[[V], V]:
        return self.add("POST", path, guard, {303: None}, aliases=aliases)


def signed_in_visitor() -> CurrentUser | None:
    token = presented(SESSION)
    now = current_time()
    current_user = None
    if token is not None:
        with reading() as connection:
            session = load_session(connection, hash_session_token(token), now)
            if session is not None and not session.awaits_second_factor:
                if session.key is not None and request.method not in _SAFE_METHODS:
                    count_request(session.key, now)
                check_source(session.owner.limits, peer_address())
                current_user = load_current_user(connection, session)
                _touch(session, now)
    g.current_user = current_user  # an error page shows the menu
    return current_user


def _touch(session: OpenSession, now: datetime) -> None:
    if now - session.seen_at >= TOUCHED_EVERY:
        with get_service(Database).writing_once() as connection:
            update_session(connection, session.owner.session_id, seen_at=now)


def _to_sign_in() -> Response:
    is_form, is_part = request.method not in _SAFE_METHODS, "HX-Request" in request.headers
    named = {"next": _page_before() if is_form or is_part else request.full_path.rstrip("?")}
    query = urlencode(named | ({"unsaved": "yes"} if is_form else {}))
    target = f"{request.script_root}{SIGN_IN}?{query}"
    if is_part:  # redirect the whole page
        return Response(status=204, headers={"HX-Redirect": target})
    answer = redirect(target)
    return Response(answer.get_data(), 302, {"Location": answer.headers["Location"]})


def _page_before() -> str:
    """Return the page with the form, if it can be read again."""
    page = "".join((request.referrer or "").partition("/console")[1:])
    is_page = current_app.url_map.bind("").test(page.partition("?")[0], "GET")
    return page if is_page else ""
