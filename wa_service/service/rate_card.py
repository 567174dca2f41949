"""Prices by country and category, from a CSV file: `country,category,price,currency`; `*` is any."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

ANY: Final = "*"
BILLABLE: Final = "regular"
"""The only pricing type that is charged."""
_COLUMNS: Final = {"country", "category", "price"}


class RateCardError(Exception):
    """A rate card is invalid; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class RateCard:
    """`prices` by (country, category), either of which may be ANY; `currency` "" if the file has none."""

    prices: Mapping[tuple[str, str], Decimal]
    currency: str = ""

    @classmethod
    def read(cls, path: Path) -> RateCard:
        """Read a file.

        Raises:
            RateCardError: it cannot be read.
        """
        prices: dict[tuple[str, str], Decimal] = {}
        currencies: set[str] = set()
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                for place, row in enumerate(csv.DictReader(lines), 2):
                    if not set(row) >= _COLUMNS:
                        raise RateCardError(f"{path} needs the columns country, category and price.")
                    country, category = (str(row[name] or "").strip() for name in ("country", "category"))
                    key = country.upper() or ANY, _category(category) or ANY
                    price = _price(row["price"], path, place)
                    if prices.setdefault(key, price) != price:
                        raise RateCardError(f"{path} has a second price for {' '.join(key)} in line {place}.")
                    currencies.add(str(row.get("currency") or "").strip().upper())
        except (OSError, UnicodeDecodeError, csv.Error):
            raise RateCardError(f"{path} cannot be read as CSV in UTF-8.") from None
        if len(currencies) > 1:
            raise RateCardError(f"{path} mixes currencies.")
        return cls(prices, next(iter(currencies), ""))

    def price(self, country: str, category: str) -> Decimal | None:
        """Return the price of one message, None where the card has none."""
        for where in (country, ANY):
            for what in (_category(category), ANY):
                if (found := self.prices.get((where, what))) is not None:
                    return found
        return None


def _category(written: str) -> str:
    """Return a category as the counts have it, with underscores: Meta also writes it with hyphens (5.7)."""
    return written.lower().replace("-", "_")


def _price(given: str | None, path: Path, line: int) -> Decimal:
    try:
        price = Decimal(str(given).strip())
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price < 0:
        raise RateCardError(f"{path} has no price in line {line}.")
    return price
