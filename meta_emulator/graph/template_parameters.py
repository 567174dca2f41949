"""Parameters of a template send (reference 3.1)."""

from __future__ import annotations

import re
from typing import Any

from meta_emulator.errors import GraphError, missing, parameter

VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_FORBIDDEN = re.compile(r"[\n\r\t]| {5,}")
_TEXTUAL = ("text", "currency", "date_time")


def objects(container: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects from a sent object, empty if it is absent; raise error 100 for anything else."""
    items = container.get(name) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise parameter(f"Param template['{name}'] must be an array of objects.")
    return items


def single(parameters: list[dict[str, Any]], kind: str, where: str) -> dict[str, Any]:
    """Return the only parameter, which must be of this type."""
    if len(parameters) > 1:
        raise GraphError(
            132000,
            f"{where}: number of parameters ({len(parameters)}) does not match the expected number of params (1)",
        )
    check_type(parameters[0] if parameters else {}, kind, where)
    return parameters[0]


def check_type(item: dict[str, Any], kind: str, where: str) -> None:
    """Raise 132012 for a parameter of another type."""
    received = str(item.get("type") or "unknown")
    if received.lower() != kind:
        raise GraphError(132012, f"{where}: Format mismatch, expected {kind.upper()}, received {received.upper()}")


def text_value(item: dict[str, Any], where: str) -> str:
    """Return the text of a parameter, or the fallback of an amount or a date."""
    kind = item.get("type")
    if kind not in _TEXTUAL:
        raise GraphError(132012, f"{where}: Format mismatch, expected TEXT, received {str(kind).upper()}")
    value = item.get("text") if kind == "text" else _fallback(item, str(kind))
    if not isinstance(value, str) or not value:
        raise missing(f"Parameter of type {kind} is missing text value")
    if _FORBIDDEN.search(value):
        raise GraphError(100, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
    return value


def _fallback(item: dict[str, Any], kind: str) -> Any:
    amount_or_date = item.get(kind)
    if not isinstance(amount_or_date, dict):
        raise parameter(f"Param {kind} must be an object.")
    return amount_or_date.get("fallback_value")
