"""``X-Twilio-Signature`` of a request. Pure.

Source: Twilio, "Validating requests", and its SDKs' tests: base64 of HMAC-SHA1 over the URL and,
for forms, every parameter name (sorted by code point) with its distinct values (sorted), keyed by
the auth token. The URL may have its port or not.
"""

import binascii
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_AND_PORT = re.compile(r"(https?)://([^/?#]*?)(:\d+)?(?=[/?#]|$)", re.IGNORECASE)


def is_signed_by(
    tokens: Iterable[str], url: str, parameters: Mapping[str, Sequence[str]], signature: str
) -> bool:
    tail = _signed_parameters(parameters)
    given = signature.encode("utf-8", "surrogateescape")
    return any(
        hmac.compare_digest(_sign(token, variant + tail), given)
        for token in tokens
        for variant in _port_variants(url)
    )


def sign(token: str, url: str, parameters: Mapping[str, Sequence[str]]) -> str:
    return _sign(token, url + _signed_parameters(parameters)).decode("ascii")


def _sign(token: str, text: str) -> bytes:
    made = _keyed(token).copy()
    made.update(text.encode("utf-8", "surrogateescape"))
    return binascii.b2a_base64(made.digest(), newline=False)


@lru_cache(maxsize=64)
def _keyed(token: str) -> hmac.HMAC:
    """`hmac.digest` releases Python's lock, for which a busy thread then has to wait."""
    return hmac.new(token.encode(), digestmod="sha1")


def _signed_parameters(parameters: Mapping[str, Sequence[str]]) -> str:
    return "".join(
        [
            name + value
            for name, values in sorted(parameters.items())
            for value in (values if len(values) == 1 else sorted(set(values)))
        ]
    )


def _port_variants(url: str) -> Iterator[str]:
    yield url
    found = _HOST_AND_PORT.match(url)
    if found is None:
        return
    scheme, host, port = found.groups()
    other_port = "" if port else f":{_DEFAULT_PORTS[scheme.lower()]}"
    yield f"{scheme}://{host}{other_port}{url[found.end() :]}"
