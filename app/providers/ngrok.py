"""The address of the local ngrok agent: ``GET /api/tunnels`` on 127.0.0.1:4040."""

import json

import urllib3

from app.settings import SettingsError

_NO_AGENT = (
    "BORDERPOST_PUBLIC_URL: is 'ngrok', but no ngrok agent answers on this machine: "
    "start it with `ngrok http 8000`, or set the URL itself"
)
AGENT_URL = "http://127.0.0.1:4040/api/tunnels"


def public_url_of_agent(agent_url: str = AGENT_URL) -> str:
    """Return the first https address; raises `SettingsError` without agent or https tunnel."""
    try:
        answer = urllib3.request("GET", agent_url, timeout=2.0, retries=False)
        tunnels = json.loads(answer.data)["tunnels"]
        addresses = [str(tunnel["public_url"]) for tunnel in tunnels]
    except urllib3.exceptions.HTTPError as problem:
        raise SettingsError([_NO_AGENT]) from problem
    except (ValueError, KeyError, TypeError) as problem:
        raise SettingsError(
            ["BORDERPOST_PUBLIC_URL: what answers as the ngrok agent is not one"]
        ) from problem
    secure = [address for address in addresses if address.startswith("https://")]
    if not secure:
        raise SettingsError(
            ["BORDERPOST_PUBLIC_URL: the ngrok agent has no https tunnel: `ngrok http 8000`"]
        )
    return secure[0].rstrip("/")
