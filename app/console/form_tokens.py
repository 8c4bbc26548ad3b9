"""Whether a form was sent from a page of ours, in the session that the page was made for.

Two checks: the token, which only that session's pages hold, and where the browser says that the
request comes from.
"""

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from flask import current_app, request
from flask_wtf.csrf import CSRFError, generate_csrf, validate_csrf
from wtforms import ValidationError

from app.console.cookies import presented_token
from app.kernel.errors import Forbidden
from app.settings import Settings
from app.web.wiring import service

_FIELD = "csrf_token"
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OUR_SITE = frozenset({"same-origin", "none"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


def form_token() -> str:
    """Return the token for the forms of a page."""
    token: str = generate_csrf(secret_key=_key())
    return token


def check_form() -> None:
    """Let a request pass that changes nothing, or whose form is ours.

    Raises:
        Forbidden: the browser says that another site sent it.
        CSRFError: the token is missing, or is that of another session.
    """
    if request.method in _SAFE_METHODS:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    is_foreign = site is not None and site not in _OUR_SITE
    if is_foreign or (origin is not None and not _is_ours(origin)):
        raise Forbidden("This form was sent from another site. Open the page here and try again.")
    try:
        validate_csrf(request.form.get(_FIELD), secret_key=_key())
    except ValidationError as problem:
        raise CSRFError(str(problem)) from problem


def _key() -> str:
    """Return the key that signs tokens: another one in each session."""
    secret = str(current_app.secret_key).encode()
    return hmac.new(secret, f"forms:{presented_token() or ''}".encode(), hashlib.sha256).hexdigest()


def _is_ours(origin: str) -> bool:
    public = _parts(service(Settings).public_url)
    given = _parts(origin)
    if given is None or public is None:
        return False
    if given == public:
        return True
    # The page was opened at another address of ours, which is then the Host header.
    scheme, host, _ = given
    is_as_safe = scheme == "https" or public[0] == "http" or _is_loopback(host)
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
