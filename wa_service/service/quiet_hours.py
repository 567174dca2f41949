"""Quiet hours of a batch: `21:00-08:00 Europe/Berlin`, or without a zone in each customer's own, by country."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wa_service.whatsapp.countries import country_of

_FORM: Final = re.compile(
    r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])(?: ([A-Za-z0-9_+/-]{1,64}))?"
)
_SENTENCE: Final = "This must be two different times and perhaps a zone, such as 21:00-08:00 Europe/Berlin."
UNKNOWN_COUNTRY: Final = ""
_MISSING_ZONES: Final = {"AC": "Atlantic/St_Helena", "TA": "Atlantic/St_Helena", "XK": "Europe/Belgrade"}
"""Regions with numbers of their own that the IANA database does not list as countries."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` each day, in `zone`; None: in the customer's own."""

    begin: time
    end: time
    zone: str | None

    @classmethod
    def read(cls, given: str) -> QuietHours:
        """Parse quiet hours; raise ValueError with a sentence."""
        form = _FORM.fullmatch(given)
        if form is None:
            raise ValueError(_SENTENCE)
        begin, end = time(int(form[1]), int(form[2])), time(int(form[3]), int(form[4]))
        if begin == end:
            raise ValueError(_SENTENCE)
        if form[5]:
            try:
                ZoneInfo(form[5])
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError("This time zone is unknown.") from None
        return cls(begin, end, form[5])

    def until(self, now: datetime) -> int | Mapping[str, int] | None:
        """Return the end (ms since 1970) of quiet hours that run now: for all items, or by country; None: none run."""
        if self.zone is not None:
            end = self._end(now, self.zone)
            return _ms(end) if end else None
        ends = {country: self._end_in(now, zones) for country, zones in zones_by_country().items()}
        return {country: _ms(end) for country, end in ends.items() if end} or None

    def _end_in(self, now: datetime, zones: tuple[str, ...]) -> datetime | None:
        """The latest end in a country with several zones."""
        ends = [end for zone in zones if (end := self._end(now, zone))]
        return max(ends, default=None)

    def _end(self, now: datetime, zone: str) -> datetime | None:
        there = now.astimezone(ZoneInfo(zone))
        clock = there.time()
        over_midnight = self.begin > self.end
        is_quiet = clock >= self.begin or clock < self.end if over_midnight else self.begin <= clock < self.end
        if not is_quiet:
            return None
        day = there.date() + timedelta(days=1 if over_midnight and clock >= self.begin else 0)
        # When the clocks go back, an hour comes twice: in the second one they end in the second one.
        return datetime.combine(day, self.end.replace(fold=there.fold), ZoneInfo(zone)).astimezone(UTC)


@cache
def zones_by_country() -> Mapping[str, tuple[str, ...]]:
    """Time zones by ISO 3166 country, from the IANA database; a number without a country counts as UTC."""
    table: dict[str, tuple[str, ...]] = {UNKNOWN_COUNTRY: ("UTC",)}
    table |= {country: (zone,) for country, zone in _MISSING_ZONES.items()}
    for line in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            table[country] = (*table.get(country, ()), zone)
    return table


def quiet_country(address: str) -> str:
    """Return the country whose quiet hours apply to a customer; without a known zone `UNKNOWN_COUNTRY`."""
    country = country_of(address)
    return country if country in zones_by_country() else UNKNOWN_COUNTRY


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
