"""``pricing_analytics`` of the business account: delivered messages by day, category and type (reference 8.5)."""

from __future__ import annotations

import re
from collections import Counter

from meta_emulator.errors import parameter
from meta_emulator.graph.call import JsonObject
from meta_emulator.records import Message
from meta_emulator.world import World

_ASKED = re.compile(r"pricing_analytics((?:\.[a-z_]+\([^)]*\))*)")
_PART = re.compile(r"\.([a-z_]+)\(([^)]*)\)")
_DAY = 86_400
_PRICES = {"marketing": 0.1, "utility": 0.03, "authentication": 0.03}
"""Emulated prices per message; the account's currency is EUR."""


def pricing_analytics(world: World, fields: str) -> JsonObject:
    """Return the data points that ``fields`` requests, one per kind and day."""
    asked = _ASKED.search(fields)
    given = dict(_PART.findall(asked[1])) if asked else {}
    try:
        start, end = int(given["start"]), int(given["end"])
    except (KeyError, ValueError):
        raise parameter("pricing_analytics needs start and end, in Unix seconds.") from None
    if given.get("granularity", "DAILY") != "DAILY":
        raise parameter("Only the granularity DAILY is emulated.")
    volume: Counter[tuple[int, str, str]] = Counter()
    for message in world.messages.values():
        at = _delivered(message)
        if message.direction == "in" and at is not None and start <= at < end:
            kind = "FREE_CUSTOMER_SERVICE" if message.free else "REGULAR"
            volume[int(at) // _DAY * _DAY, message.category.upper(), kind] += 1
    points = [
        {
            "start": day,
            "end": day + _DAY,
            "volume": count,
            "cost": round(count * _PRICES.get(category.lower(), 0.0), 6) if kind == "REGULAR" else 0,
            "pricing_category": category,
            "pricing_type": kind,
        }
        for (day, category, kind), count in sorted(volume.items())
    ]
    return {"data": [{"data_points": points}]}


def _delivered(message: Message) -> float | None:
    """Return the time of delivery; a read message counts as delivered."""
    return message.status_times.get("delivered") or message.status_times.get("read")
