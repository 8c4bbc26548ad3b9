"""Supported database URLs.

Problems never repeat the URL, which may hold a password.
"""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_DIALECTS = ("sqlite", "postgresql+psycopg")
_HOSTS = "write ?host=a:5432&host=b:5432, or ?host=a,b&port=5432,5432"


def read_database_url(given: str) -> str:
    """Return a database URL with its driver named; for a wrong one a ``ValueError`` says why."""
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL") from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in _DIALECTS:
        raise ValueError(f"must start with one of {', '.join(_DIALECTS)}")
    if not _says_hosts_clearly(url):
        raise ValueError(f"names its hosts and ports in no known way: {_HOSTS}")
    if url.drivername == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file, for example sqlite:////data/sms.db")
    return url.render_as_string(hide_password=False)


def _says_hosts_clearly(url: URL) -> bool:
    """Say whether the driver makes sense of the hosts and ports; it is not asked to connect."""
    try:
        url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):
        return False
    return True
