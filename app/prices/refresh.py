"""Asking the provider for the current prices of countries. No vendor is named here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from app.access.provider_account import ProviderAccount
from app.prices.price_file import PriceRow


class PricesUnknown(Exception):
    """The provider could not be asked for prices; the text says why."""


@dataclass(frozen=True, slots=True)
class NetworkPrice:
    """The highest current price of one segment to a network; '' is a network without a code."""

    mccmnc: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class CountryPrices:
    """The current prices to one country, in one currency."""

    currency: str
    networks: Sequence[NetworkPrice]


class PriceSource(Protocol):
    """A provider that can be asked for prices."""

    def fetch(self, account: ProviderAccount, country: str) -> CountryPrices | None:
        """Fetch the prices to a country; None if there are none; raises `PricesUnknown`."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The rows to store, and the countries that the provider has no price for."""

    rows: Sequence[PriceRow]
    without_price: Sequence[str]


def fetch_prices(
    source: PriceSource, wanted: Mapping[str, ProviderAccount], day: date
) -> Refreshed:
    """Ask for the prices of each country with the account that goes with it.

    Raises:
        PricesUnknown: the provider could not be asked for one of them.
    """
    rows: list[PriceRow] = []
    without = []
    for country, account in sorted(wanted.items()):
        found = source.fetch(account, country)
        if found is None or not found.networks:
            without.append(country)
            continue
        rows += _rows(country, found, day)
    return Refreshed(rows, without)


def _rows(country: str, found: CountryPrices, day: date) -> list[PriceRow]:
    highest: dict[str, Decimal] = {}
    for one in found.networks:
        highest[one.mccmnc] = max(one.price, highest.get(one.mccmnc, one.price))
    if "" in highest:
        # A price without network stands for the whole country: it must not be below the others.
        highest[""] = max(highest.values())
    return [
        PriceRow(country, mccmnc, f"{price:f}", found.currency, day)
        for mccmnc, price in sorted(highest.items())
    ]
