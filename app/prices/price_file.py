"""Parsing a CSV file of prices. Pure.

Columns: country (alpha-2), mccmnc (five or six digits, or empty), price (of one segment), currency
(ISO 4217), valid_from (YYYY-MM-DD).
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from app.kernel.countries import is_country
from app.prices.price_table import PriceRow

# Source: ISO 4217, the currencies that CLDR lists as in use.
_TEXT = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD
KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN
NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP
SLE SOS SRD SSP STN SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV
WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
_CURRENCIES = frozenset(_TEXT.split())
HEADER = ("country", "mccmnc", "price", "currency", "valid_from")
_NETWORK = re.compile(r"[0-9]{5,6}", re.ASCII)
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MUST = {
    "country": "must be an ISO 3166-1 alpha-2 country code in upper case",
    "mccmnc": "must be five or six digits, or empty for the whole country",
    "price": "must be a decimal that is not negative, with at most six digits after the point",
    "currency": "must be an ISO 4217 currency code in upper case",
    "valid_from": "must be a date, YYYY-MM-DD",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A wrong value of a file; the header is line 1."""

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.column}: {self.text}"


class WrongPrices(Exception):
    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class PriceFile:
    rows: tuple[tuple[int, PriceRow], ...]
    problems: tuple[Problem, ...]


def read_prices(text: str) -> PriceFile:
    """Raises `WrongPrices` for another header."""
    problems: list[Problem] = []
    lines = _lines(text, problems)
    number, header = next(lines, (1, []))
    if tuple(cell.strip() for cell in header) != HEADER:
        wrong = Problem(number, "header", f"must be {','.join(HEADER)}")
        raise WrongPrices(problems or [wrong])
    rows: list[tuple[int, PriceRow]] = []
    for number, cells in lines:
        found = read_row(number, [cell.strip() for cell in cells])
        if isinstance(found, PriceRow):
            rows.append((number, found))
        else:
            problems += found
    return PriceFile(tuple(rows), tuple(problems))


def other_currencies(
    rows: Iterable[tuple[int, PriceRow]], currency: str | None, holder: str
) -> Iterator[Problem]:
    for line, row in rows:
        if currency is not None and row.currency != currency:
            yield Problem(line, "currency", f"must be {currency}, the currency of {holder}")


def _lines(text: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            problems.append(Problem(begins, "row", f"cannot be read: {problem}"))
            continue
        if any(cell.strip() for cell in cells):
            yield begins, cells


def read_row(line: int, cells: Sequence[str]) -> PriceRow | list[Problem]:
    """In the order of `HEADER`."""
    if len(cells) != len(HEADER):
        return [Problem(line, "row", f"must have {len(HEADER)} fields, not {len(cells)}")]
    country, mccmnc, price, currency, valid_from = cells
    day = _read_day(valid_from)
    is_right = {
        "country": is_country(country),
        "mccmnc": not mccmnc or _NETWORK.fullmatch(mccmnc) is not None,
        "price": _PRICE.fullmatch(price) is not None,
        "currency": currency in _CURRENCIES,
        "valid_from": day is not None,
    }
    wrong = [Problem(line, name, _MUST[name]) for name, right in is_right.items() if not right]
    if wrong or day is None:
        return wrong
    return PriceRow(country, mccmnc, price, currency, day)


def _read_day(text: str) -> date | None:
    if _DAY.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
