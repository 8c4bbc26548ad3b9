"""Reads the current prices of countries from the provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.prices.price_file import PriceRow
from app.providers.port import CountryPrices, PriceSource, ProviderAccount, ProviderUnknown


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The rows to store, and the countries without a price."""

    rows: Sequence[PriceRow]
    without_price: Sequence[str]


def fetch_prices(
    source: PriceSource, wanted: Mapping[str, ProviderAccount], day: date
) -> Refreshed:
    """Ask for the prices of each country with its account; raises `ProviderUnknown`."""
    rows: list[PriceRow] = []
    without = []
    for country, account in sorted(wanted.items()):
        try:
            found = source.fetch(account, country)
        except ProviderUnknown as unknown:
            raise ProviderUnknown(f"{country}: {unknown}") from unknown
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
        # A price without network applies to the whole country, so it must not be below the others.
        highest[""] = max(highest.values())
    return [
        PriceRow(country, mccmnc, f"{price:f}", found.currency, day)
        for mccmnc, price in sorted(highest.items())
    ]
