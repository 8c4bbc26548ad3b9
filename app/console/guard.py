"""Access to pages: the session behind the cookie, the role, and the form's CSRF token.

Nothing is cached between requests: a disabled user or a revoked key loses access at once.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from flask import Response, abort, g, redirect, request

from app.access.key_limits import check_source
from app.access.roles import Role
from app.console.cookies import presented_token
from app.console.form_tokens import check_form
from app.db.engine import Database
from app.kernel.clock import Clock
from app.kernel.errors import Forbidden
from app.people.session_tokens import hash_session_token, wants_touch
from app.people.sessions import OpenSession, load_session, load_visitor, touch_session
from app.people.visitor import Visitor
from app.web.peer import peer_address
from app.web.wiring import service

SIGN_IN = "/console/sign-in"


@dataclass(frozen=True, slots=True)
class Visits:
    """Guard of a page for visitors of at least this role in the workspace shown."""

    role: Role

    @property
    def rule(self) -> str:
        """Name the role."""
        return f"signed in as {self.role}"

    def __call__(self) -> Visitor:
        """Return the visitor.

        Raises:
            Forbidden: the role is too small.
        """
        visitor = _visitor()
        check_form()
        if not visitor.permits(self.role):
            raise Forbidden(
                f"This requires the role {self.role}. Your role here is {visitor.role}."
            )
        return visitor


@dataclass(frozen=True, slots=True)
class VisitsOrganization:
    """Guard of a page for visitors of at least this role in the whole organization."""

    role: Role

    @property
    def rule(self) -> str:
        """Name the role."""
        return f"signed in as {self.role} of the organization"

    def __call__(self) -> Visitor:
        """Return the visitor.

        Raises:
            Forbidden: the role is too small, or holds in some workspaces only.
        """
        visitor = _visitor()
        check_form()
        role = visitor.organization_role
        if role is None or not role.permits(self.role):
            raise Forbidden(f"This requires the role {self.role} in the whole organization.")
        return visitor


@dataclass(frozen=True, slots=True)
class Stranger:
    """Guard of the pages before sign-in; their forms carry a token all the same."""

    rule: str = "before sign-in"

    def __call__(self) -> None:
        """Admit everybody with a valid form token."""
        check_form()


def _visitor() -> Visitor:
    visitor = signed_in_visitor()
    if visitor is None:
        abort(_to_sign_in())
    return visitor


def signed_in_visitor() -> Visitor | None:
    """Return the visitor of the session behind the cookie; None if nobody is signed in."""
    token = presented_token()
    now = service(Clock).now()
    visitor = None
    if token is not None:
        with service(Database).reading() as connection:
            session = load_session(connection, hash_session_token(token), now)
            if session is not None and not session.awaits_second_factor:
                check_source(session.limits, peer_address())
                visitor = load_visitor(connection, session)
                _touch(session, now)
    g.visitor = visitor  # an error page shows the menu
    return visitor


def _touch(session: OpenSession, now: datetime) -> None:
    if wants_touch(session.seen_at, now):
        with service(Database).writing_once() as connection:
            touch_session(connection, session.session_id, now)


def _to_sign_in() -> Response:
    wanted = request.full_path.rstrip("?") if request.method == "GET" else ""
    query = "?" + urlencode({"next": wanted}) if wanted else ""
    address = request.script_root + SIGN_IN + query
    if "HX-Request" in request.headers:  # a part of a page: the whole page must go
        return Response(status=204, headers={"HX-Redirect": request.script_root + SIGN_IN})
    answer = redirect(address)
    return Response(answer.get_data(), 302, {"Location": answer.headers["Location"]})
