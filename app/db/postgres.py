"""PostgreSQL engines and fail-over.

Each connect looks for the primary among the hosts of the URL; a silent host is given up within
seconds; if a server shuts down or is read-only, the whole pool reconnects.
"""

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext

_STATEMENT_MILLISECONDS, _LOCK_MILLISECONDS = 20_000, 2_000
_OPTIONS = (
    f"-c statement_timeout={_STATEMENT_MILLISECONDS} -c lock_timeout={_LOCK_MILLISECONDS}"
    " -c timezone=UTC -c datestyle=ISO"
    # Otherwise each call plans a statement over partitions, which costs more than it.
    " -c plan_cache_mode=force_generic_plan"
)
# A pooler refuses startup options and may use another server for each transaction, so each
# transaction sets them.
_OF_ONE_TRANSACTION = (
    f"SELECT set_config('statement_timeout', '{_STATEMENT_MILLISECONDS}', true),"
    f" set_config('lock_timeout', '{_LOCK_MILLISECONDS}', true),"
    " set_config('timezone', 'UTC', true)"
)
# Without them, a thread waits a quarter of an hour (TCP's timeout) for a host that lost its power.
# They have no effect on a socket file.
_SILENCE = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 5000,
}
# The server takes no writes: no longer primary, shutting down, crashed, starting or recovering.
_NOT_THE_PRIMARY = frozenset({"25006", "57P01", "57P02", "57P03"})


def make_postgres_engine(
    url: URL, pool_size: int, wait_seconds: float, *, is_pooled: bool = False
) -> Engine:
    """Create an engine that opens connections on demand, up to a limit.

    Outside of transactions each statement commits itself, which saves round trips. Through a
    pooler in transaction mode everything is a transaction without prepared statements.
    """
    arguments = connect_arguments(url, wait_seconds)
    if is_pooled:
        arguments = {**arguments, "prepare_threshold": None}
        arguments.pop("options", None)
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED" if is_pooled else "AUTOCOMMIT",
        skip_autocommit_rollback=not is_pooled,
        connect_args=arguments,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=wait_seconds,
        pool_use_lifo=True,
        hide_parameters=True,
    )
    event.listen(engine, "handle_error", _reconnect_unless_primary)
    if is_pooled:
        event.listen(engine, "begin", _bring_settings)
    return engine


def _bring_settings(connection: Connection) -> None:
    connection.exec_driver_sql(_OF_ONE_TRANSACTION)


def connect_arguments(url: URL, wait_seconds: float) -> dict[str, str | int | float | None]:
    """The timeout is per host."""
    arguments: dict[str, str | int | float | None] = {
        "connect_timeout": wait_seconds,
        "options": _OPTIONS,
        "client_encoding": "utf8",
        **_SILENCE,
    }
    if _names_several_hosts(url):
        arguments["target_session_attrs"] = "read-write"
    return {name: value for name, value in arguments.items() if name not in url.query}


def _names_several_hosts(url: URL) -> bool:
    hosts = url.query.get("host", url.host or "")
    return not isinstance(hosts, str) or "," in hosts


def _reconnect_unless_primary(context: ExceptionContext) -> None:
    """Treat the error as a lost connection, so that the whole pool reconnects.

    A primary that became read-only keeps its connections and returns old data.
    """
    if getattr(context.original_exception, "sqlstate", None) in _NOT_THE_PRIMARY:
        context.is_disconnect = True
