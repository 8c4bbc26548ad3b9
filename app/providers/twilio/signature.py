"""``X-Twilio-Signature`` of a request. Pure.

Source: Twilio, "Validating requests", and its SDKs' tests: base64 of HMAC-SHA1 over the URL and,
for forms, every parameter name (sorted by code point) with its distinct values (sorted), keyed by
the auth token. The URL may have its port or not.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_signed_by(
    tokens: Iterable[str], url: str, parameters: Mapping[str, Sequence[str]], signature: str
) -> bool:
    """Whether one of the tokens made the signature of this URL and form."""
    tail = _signed_parameters(parameters)
    given = signature.encode("utf-8", "surrogateescape")
    # No early return: the time must not reveal which variant or token matches.
    fits = [
        hmac.compare_digest(_sign(token, variant + tail), given)
        for token in tokens
        for variant in _port_variants(url)
    ]
    return any(fits)


def sign(token: str, url: str, parameters: Mapping[str, Sequence[str]]) -> str:
    return _sign(token, url + _signed_parameters(parameters)).decode("ascii")


def _sign(token: str, text: str) -> bytes:
    mac = hmac.new(token.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha1)
    return base64.b64encode(mac.digest())


def _signed_parameters(parameters: Mapping[str, Sequence[str]]) -> str:
    return "".join(
        name + value for name in sorted(parameters) for value in sorted(set(parameters[name]))
    )


def _port_variants(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return [url]
    if port is not None:
        return [url, _with_host(url, parts, parts.netloc.rpartition(":")[0])]
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None:
        return [url]
    return [url, _with_host(url, parts, f"{parts.netloc}:{default}")]


def _with_host(url: str, parts: SplitResult, netloc: str) -> str:
    # Put together by hand: urlunsplit would lose an empty query and change the scheme's case.
    start = url.index("://") + 3
    return url[:start] + netloc + url[start + len(parts.netloc) :]
