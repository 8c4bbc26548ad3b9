"""The `X-Twilio-Signature` of a webhook (Twilio, webhook security)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urldefrag


def signature(auth_token: str, url: str, params: Mapping[str, str]) -> str:
    """Signs a form for this URL without its fragment."""
    signed = urldefrag(url).url + "".join(name + params[name] for name in sorted(params))
    digest = hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()
