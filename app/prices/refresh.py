"""Reads the current prices of countries from the provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.prices.price_file import PriceFile, PriceRow
from app.providers.port import PriceSource, ProviderAccount, ProviderUnknown


@dataclass(frozen=True, slots=True)
class Refreshed:
    file: PriceFile
    without_price: Sequence[str]


def fetch_prices(
    source: PriceSource, wanted: Mapping[str, ProviderAccount], day: date
) -> Refreshed:
    """Raises `ProviderUnknown`."""
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
        highest: dict[str, Decimal] = {}
        for one in found.networks:
            highest[one.mccmnc] = max(one.price, highest.get(one.mccmnc, one.price))
        if "" in highest:
            # A price without network applies to the whole country: it is the highest of all.
            highest[""] = max(highest.values())
        rows += [
            PriceRow(country, mccmnc, f"{price:f}", found.currency, day)
            for mccmnc, price in sorted(highest.items())
        ]
    return Refreshed(PriceFile(tuple(enumerate(rows, start=1)), ()), without)
