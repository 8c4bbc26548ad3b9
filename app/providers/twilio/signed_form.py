"""The guard of Twilio's callbacks: a form of a known account, signed for our URL.

The signed URL is the public URL with the raw path and query, never the Host header, which anyone
may forge.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

import structlog
from flask import request

from app.access.principal import Rate
from app.access.rates import RateBuckets
from app.kernel.errors import Forbidden, UnsupportedMediaType
from app.kernel.provider_sids import canonical_sid
from app.kernel.whole_numbers import read_whole_number
from app.providers.port import Callbacks
from app.providers.twilio.signature import is_signed_by
from app.web.bodies import read_bytes
from app.web.metrics import CALLBACKS
from app.web.peer import address_group, peer_address
from app.web.registry import get_service

_log = structlog.get_logger(__name__)
SIGNATURE_HEADER = {
    "X-Twilio-Signature": "Twilio's signature over the public URL and the form, made with the "
    "auth token of the account"
}
_NOTHING = ("",)
_FORM = "application/x-www-form-urlencoded"
# This header announces signing with a shared key (SHA-256, a Twilio beta), which we do not
# have, so the refusal is logged with this reason.
_OTHER_SIGNING = "X-Twilio-Webhooks-Signature-Settings"


# Above this rate, wrong signatures of an address are only refused, not diagnosed.
_DIAGNOSES = Rate(per_second=1, burst=20)


@dataclass(frozen=True, slots=True)
class SignedForm:
    """The parameters of a verified request and the account that signed it."""

    account_sid: str
    form: Mapping[str, Sequence[str]]

    def text(self, *names: str, limit: int = 64) -> str | None:
        """Return the first given parameter, cut to the stored length."""
        for name in names:
            value = self.form.get(name, _NOTHING)[0].replace("\x00", "").strip()
            if value:
                return value[:limit]
        return None

    def number(self, name: str) -> int | None:
        """Return a parameter as a storable whole number."""
        value = self.text(name)
        return None if value is None else read_whole_number(value)


@dataclass(frozen=True, slots=True)
class SignedByTwilio:
    """Guard: the request must be signed with the token of its account."""

    rule: str = "Twilio's signature"

    def __call__(self) -> SignedForm:
        """Raises `UnsupportedMediaType`, `Forbidden` or `ServiceUnavailable`."""
        if request.mimetype != _FORM:
            raise UnsupportedMediaType(f"Callbacks are {_FORM}.")
        form = parse_qs(read_bytes().decode("utf-8", "replace"), keep_blank_values=True)
        account_sid = canonical_sid(form.get("AccountSid", _NOTHING)[0])
        signature = request.headers.get("X-Twilio-Signature", "")
        callbacks = get_service(Callbacks)
        tokens = callbacks.tokens
        known = tokens.kept(account_sid) if signature else ()
        if not known:
            raise _refused("unknown_account" if signature else "signature_missing")
        url = callbacks.public_url + raw_target()
        if not is_signed_by(known, url, form, signature):
            known = tokens.fresh(account_sid)
            if not is_signed_by(known, url, form, signature):
                if _may_diagnose():
                    _diagnose(known, form, signature)
                raise _refused("signature_wrong")
        return SignedForm(account_sid, form)


def _may_diagnose() -> bool:
    """Limited by address, because it checks many signatures."""
    name = f"wrong signature {address_group(peer_address())}".encode()
    return not get_service(RateBuckets).take(name, _DIAGNOSES).is_refused


def raw_target() -> str:
    """Return path and query exactly as received."""
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    if raw is None:
        query = request.query_string.decode("latin-1")
        raw = quote(request.environ.get("PATH_INFO", ""), safe="/") + (f"?{query}" if query else "")
    if not raw.startswith("/"):  # absolute form, as sent to a proxy
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    prefix = request.environ.get("borderpost.stripped_prefix", "")
    return str(raw).removeprefix(prefix).encode("latin-1", "replace").decode("utf-8", "replace")


def _refused(why: str) -> Forbidden:
    CALLBACKS.labels(why).inc()
    _log.warning("callback_refused", why=why)
    return Forbidden("The request is not signed by a known account for this URL.")


def _diagnose(
    tokens: Iterable[str], parameters: Mapping[str, Sequence[str]], signature: str
) -> None:
    """Log the public URL that would match the signature."""
    target = raw_target()
    path, mark, query = target.partition("?")
    other_slash = path[:-1] if path.endswith("/") else path + "/"
    if request.headers.get(_OTHER_SIGNING):
        _log.warning("callback_signed_with_shared_key", remedy="sign with the auth token")
    for base in _other_bases():
        for tried in (target, other_slash + mark + query):
            if is_signed_by(tokens, base + tried, parameters, signature):
                hint = f"would have matched {base}{tried.partition('?')[0]}"
                _log.warning(
                    "callback_signed_for_other_url", hint=f"{hint}: set BORDERPOST_PUBLIC_URL"
                )
                return


def _other_bases() -> list[str]:
    configured = get_service(Callbacks).public_url
    hosts = [
        request.headers.get("Host", ""),
        request.headers.get("X-Forwarded-Host", "").split(",")[0].strip(),
        configured.partition("://")[2].partition("/")[0],
    ]
    prefix = configured.partition("://")[2].partition("/")
    paths = ["", prefix[1] + prefix[2], request.headers.get("X-Forwarded-Prefix", "").rstrip("/")]
    bases = [
        f"{scheme}://{host}{path if path.startswith('/') else ''}"
        for host in hosts
        if host
        for scheme in ("https", "http")
        for path in paths
    ]
    return list(dict.fromkeys([configured, *bases]))
