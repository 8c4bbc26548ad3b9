"""`prices`: import, list and refresh the prices for estimating spend."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime

import click
from sqlalchemy import Connection

from app.bootstrap import open_cipher, open_provider, open_settings
from app.cli.context import linked_workspace_id, ready_database, record_command_in
from app.cli.group import CommandFailure, borderpost, echo_result, json_option, read_input
from app.db.engine import Database
from app.destinations.geo_permissions.permissions import allowed_countries
from app.destinations.geo_permissions.store import load_check_targets
from app.destinations.storage.policies import load_effective
from app.kernel.clock import utc_now
from app.prices.price_file import PriceFile, WrongPrices, read_prices
from app.prices.price_table import day_of
from app.prices.store import fetch_prices, import_prices, load_prices
from app.providers.port import ProviderAccount


@borderpost.group("prices")
def prices_group() -> None:
    """Prices per segment, by country and network."""


@prices_group.command("import")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--replace", is_flag=True, help="Replace the whole table, not only the same rows.")
@json_option
def import_command(file: str, replace: bool) -> None:
    """Import prices from FILE, a CSV file; `-` is standard input. All rows or none are stored.

    The header is country,mccmnc,price,currency,valid_from. A row replaces the one with the same
    country, network and date. All prices are in one currency.
    """
    try:
        text = read_input(file).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise CommandFailure(f"{file}: is not UTF-8") from problem
    with ready_database() as database:
        count = _store(database, read_prices(text), "prices.imported", replace=replace)
    echo_result({"imported": count}, [f"imported {count} {'price' if count == 1 else 'prices'}"])


@prices_group.command("list")
@json_option
def list_command() -> None:
    """List all prices, by country, network and date."""
    with ready_database() as database, database.reading() as connection:
        stored = load_prices(connection)
    items = [
        asdict(row) | {"mccmnc": row.mccmnc or None, "valid_from": row.valid_from.isoformat()}
        for row in stored.rows
    ]
    lines = [
        f"{row.country}  {row.mccmnc or 'all':<6}  {row.price:>10} {row.currency}  "
        f"from {row.valid_from}"
        for row in stored.rows
    ]
    none = "no prices are stored: `borderpost prices import` or `prices refresh`"
    echo_result({"items": items}, lines or [none])


@prices_group.command("refresh")
@click.option("--workspace", metavar="NAME|ID", help="Only the countries of this workspace.")
@json_option
def refresh_command(workspace: str | None) -> None:
    """Ask Twilio for the prices of every country that a workspace allows, valid from today.

    Each country is asked for once, with the account of a workspace that allows it. The highest
    current price of each network is stored. Exits 1, and stores nothing, if Twilio could not be
    asked.
    """
    settings = open_settings()
    source = open_provider(settings, open_cipher(settings)).prices
    with ready_database(settings) as database:
        now = utc_now()
        with database.reading() as connection:
            wanted = _wanted(connection, workspace, now)
        if not wanted:
            raise CommandFailure("no workspace with a Twilio account allows any country")
        found = fetch_prices(source, wanted, day_of(now))
        try:
            count = _store(database, found.file, "prices.refreshed") if found.file.rows else 0
        except WrongPrices as wrong:
            raise CommandFailure(*_other_currency(found.file, wrong)) from wrong
    lines = [f"stored {count} {'price' if count == 1 else 'prices'}"]
    if found.without_price:
        lines.append(f"Twilio has no price for {', '.join(found.without_price)}")
    echo_result({"imported": count, "without_price": list(found.without_price)}, lines)


def _store(database: Database, file: PriceFile, action: str, *, replace: bool = False) -> int:
    with database.writing() as connection:
        count = import_prices(connection, file, utc_now(), replace=replace)
        record_command_in(connection, action, f"{count} prices")
    return count


def _other_currency(file: PriceFile, wrong: WrongPrices) -> list[str]:
    rows = dict(file.rows)
    counts = Counter(rows[problem.line].currency for problem in wrong.problems)
    return [
        f"Twilio gives {count} prices in {currency}, which {wrong.problems[0].text}: "
        "import prices in that currency with `prices import --replace` first"
        for currency, count in counts.items()
    ]


def _wanted(
    connection: Connection, workspace: str | None, now: datetime
) -> dict[str, ProviderAccount]:
    """Map each allowed country to the account of a workspace that allows it."""
    wanted: dict[str, ProviderAccount] = {}
    for asked in load_check_targets(connection, linked_workspace_id(connection, workspace)):
        policy = load_effective(connection, asked.workspace_id).policy()
        for country in allowed_countries(policy, now):
            wanted.setdefault(country, asked.account)
    return wanted
