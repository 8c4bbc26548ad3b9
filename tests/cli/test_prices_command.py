"""`prices import`, `list` and `refresh`."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from app.emulator.server import EmulatorServer
from app.prices.store import NO_PRICE_LEFT
from support.commands import Run

pytestmark = pytest.mark.one_engine

HEADER = "country,mccmnc,price,currency,valid_from\n"


@pytest.fixture
def import_(run: Run, tmp_path: Path) -> Callable[..., Result]:
    """Writes a file of these rows and imports it."""

    def write_and_import(*rows: str, header: str = HEADER, options: tuple[str, ...] = ()) -> Result:
        path = tmp_path / "prices.csv"
        path.write_text(header + "".join(f"{row}\n" for row in rows), newline="")
        return run("prices", "import", str(path), *options)

    return write_and_import


@pytest.fixture
def listed(run: Run) -> Callable[[], list[dict[str, Any]]]:
    def items() -> list[dict[str, Any]]:
        found = json.loads(run("prices", "list", "--json").stdout)
        assert list(found) == ["items"]
        return list(found["items"])

    return items


def test_imported_prices_are_listed_as_given(
    import_: Callable[..., Result], listed: Callable[[], list[dict[str, Any]]]
) -> None:
    rows = (
        "US,310410,0.0079,USD,2026-01-01",
        "US,,0.05,USD,2026-01-01",
        "",
        "GB,23410,1,USD,2026-02-28",
    )

    result = import_(*rows, options=("--json",))

    assert (result.exit_code, json.loads(result.stdout)) == (0, {"imported": 3})
    assert {tuple(row) for row in listed()} == {tuple(HEADER.strip().split(","))}
    assert [list(row.values()) for row in listed()] == [
        ["GB", "23410", "1", "USD", "2026-02-28"],
        ["US", None, "0.05", "USD", "2026-01-01"],
        ["US", "310410", "0.0079", "USD", "2026-01-01"],
    ]


def test_a_row_replaces_the_one_with_the_same_country_network_and_date(
    import_: Callable[..., Result], listed: Callable[[], list[dict[str, Any]]]
) -> None:
    import_("US,,0.05,USD,2026-01-01", "US,,0.06,USD,2026-02-01")
    # As a spreadsheet writes it: with a byte order mark and CRLF.
    import_("US,,0.07,USD,2026-01-01\r", header="\ufeff" + HEADER.replace("\n", "\r\n"))

    assert [(row["price"], row["valid_from"]) for row in listed()] == [
        ("0.07", "2026-01-01"),
        ("0.06", "2026-02-01"),
    ]


def test_every_bad_row_is_named_and_nothing_is_stored(
    import_: Callable[..., Result], listed: Callable[[], list[dict[str, Any]]]
) -> None:
    """Break: store the good rows before the problems are raised."""
    import_("CA,,0.01,USD,2026-01-01")
    before = listed()

    result = import_(
        "US,,0.05,USD,2026-01-01",
        "GB,,-0.05,USD,2026-01-01",
        "us,12,1e3,usd,2026-02-30",
        "FR,,0.05,USD",
        "DE,,0.05,EUR,2026-01-01",
        '"PL"x,,0.05,USD,2026-01-01',
        "XX,,0.05,USD,2026-01-01",
        '"IT,,0.05,USD,2026-01-01',
    )

    must_be_a_price = (
        "must be a decimal that is not negative, with at most six digits after the point"
    )
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"error: line 3: price: {must_be_a_price}",
        "error: line 4: country: must be an ISO 3166-1 alpha-2 country code in upper case",
        "error: line 4: mccmnc: must be five or six digits, or empty for the whole country",
        f"error: line 4: price: {must_be_a_price}",
        "error: line 4: currency: must be an ISO 4217 currency code in upper case",
        "error: line 4: valid_from: must be a date, YYYY-MM-DD",
        "error: line 5: row: must have 5 fields, not 4",
        "error: line 6: currency: must be USD, the currency of the stored prices",
        "error: line 7: row: cannot be read: ',' expected after '\"'",
        "error: line 8: country: must be an ISO 3166-1 alpha-2 country code in upper case",
        "error: line 9: row: cannot be read: unexpected end of data",
    ]
    assert listed() == before


def test_another_currency_is_accepted_only_for_the_whole_table(
    import_: Callable[..., Result], listed: Callable[[], list[dict[str, Any]]]
) -> None:
    import_("US,,0.05,USD,2026-01-01", "CA,,0.05,USD,2026-01-01")

    assert import_("US,,0.05,EUR,2026-01-01").exit_code == 1
    assert (
        import_("US,,0.05,EUR,2026-01-01", "GB,,1,USD,2026-01-01", options=("--replace",)).exit_code
        == 1
    )
    assert {row["currency"] for row in listed()} == {"USD"}
    assert import_("US,,0.04,EUR,2026-01-01", options=("--replace",)).exit_code == 0
    assert [(row["country"], row["currency"]) for row in listed()] == [("US", "EUR")]


def test_a_file_without_rows_does_not_take_the_place_of_the_table(
    import_: Callable[..., Result], listed: Callable[[], list[dict[str, Any]]]
) -> None:
    """Spend limits would count nothing. Break: let it."""
    import_("US,,0.05,USD,2026-01-01")
    refused = import_(options=("--replace",))
    assert (refused.exit_code, refused.stderr) == (1, f"error: line 1: row: {NO_PRICE_LEFT}\n")
    assert len(listed()) == 1


def test_another_header_is_an_error_of_line_1(import_: Callable[..., Result], run: Run) -> None:
    result = import_("US,0.05,USD", header="country,price,currency\n")

    assert result.exit_code == 1
    assert result.stderr == f"error: line 1: header: must be {HEADER}"
    assert run("prices", "import", "nowhere.csv").stderr.startswith("error: nowhere.csv: cannot")
    assert run("prices", "import").exit_code == 64


@pytest.fixture
def emulator(
    run: Run, environ: dict[str, str | None], acme: Path, tmp_path: Path
) -> Iterator[EmulatorServer]:
    """A Twilio that knows the account of the workspace `Retail`, which allows three countries."""
    text = acme.read_text().replace(
        "twilio = {",
        'destinations = { US = "allowed", MA = "allowed", XK = "allowed", GB = "blocked", AQ = "allowed" }\ntwilio = {',
    )
    acme.write_text(text)
    assert run("apply", str(acme)).exit_code == 0
    with EmulatorServer() as server:
        server.emulator.accounts.change(
            "AC" + "a" * 32, lambda now: replace(now, auth_token="token-of-retail")
        )
        environ["BORDERPOST_TWILIO_URL"] = server.url
        yield server


def test_refresh_stores_the_highest_price_of_each_network_of_allowed_countries(
    run: Run, emulator: EmulatorServer, listed: Callable[[], list[dict[str, Any]]]
) -> None:
    result = run("prices", "refresh", "--workspace", "Retail", "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"imported": 6, "without_price": ["AQ"]}
    found = {(row["country"], row["price"], len(row["mccmnc"])) for row in listed()}
    assert found == {
        ("US", "0.0080", 5),
        ("US", "0.00880", 5),
        ("MA", "0.1200", 5),
        ("MA", "0.13200", 5),
        ("XK", "0.0500", 5),
        ("XK", "0.05500", 5),
    }
    assert {row["currency"] for row in listed()} == {"USD"}


def test_refresh_stores_nothing_where_twilio_cannot_be_asked(
    run: Run, emulator: EmulatorServer, listed: Callable[[], list[dict[str, Any]]]
) -> None:
    emulator.emulator.accounts.change(
        "AC" + "a" * 32, lambda now: replace(now, auth_token="another")
    )

    result = run("prices", "refresh")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: AQ: Twilio answered 20003: Twilio does not accept the account's credentials, "
        "or the account is closed\n"
    )
    assert listed() == []
