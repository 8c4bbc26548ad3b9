"""Supported database URLs; problems never repeat a URL, which may contain a password."""

import re

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.kernel.whole_numbers import LARGEST_PORT, read_whole_number

_DIALECTS = ("sqlite", "postgresql+psycopg")
_HOSTS = "write ?host=a:5432&host=b:5432, or ?host=a,b&port=5432,5432"


def read_database_url(given: str) -> str:
    """Return a database URL with its driver; raises ``ValueError`` with the reason."""
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL") from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in _DIALECTS:
        raise ValueError(f"must start with one of {', '.join(_DIALECTS)}")
    if "@" in (url.host or ""):  # it would show the end of the password as the host
        raise ValueError("has an @ in the user or the password: write it %40")
    if not _has_plain_ports(url, given):
        raise ValueError(f"has a port that is no whole number from 1 to {LARGEST_PORT}")
    if not _says_hosts_clearly(url):
        raise ValueError(f"names its hosts and ports in no known way: {_HOSTS}")
    if url.drivername == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError("SQLite needs a file, for example sqlite:////data/sms.db")
    return url.render_as_string(hide_password=False)


def holds_password(given: str) -> bool:
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        return False
    return bool(url.password) or not url.query.keys().isdisjoint({"password", "sslpassword"})


def _has_plain_ports(url: URL, given: str) -> bool:
    """Whether all ports of the URL, also of ``?port=``, are plain digits."""
    named = url.query.get("port", ())
    texts = [
        one for many in ([named] if isinstance(named, str) else named) for one in many.split(",")
    ]
    if url.port is not None:
        authority = re.split(r"[/?#]", given.partition("://")[2], maxsplit=1)[0]
        texts.append(authority.rpartition(":")[2])
    return all(not one or read_whole_number(one, 1, LARGEST_PORT) is not None for one in texts)


def _says_hosts_clearly(url: URL) -> bool:
    """Whether the driver can parse the hosts and ports."""
    try:
        url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):
        return False
    return True
