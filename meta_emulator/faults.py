"""Planned failures of Graph calls (reference 1.6, 4.3, 5.11)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from meta_emulator import addresses
from meta_emulator.errors import http_status_of
from meta_emulator.property_check import Between, Properties, Seconds, TextOrWhole

KINDS = {
    "error": "respond with Meta's error object: code, status (the code's), message, details, subcode, retry_after",
    "html": "respond with an HTML page instead of JSON: status",
    "empty": "respond without a body: status",
    "delay": "wait `seconds`, then respond as usual",
    "reset": "reset the connection (TCP) before the call is processed",
    "answer_lost": "process the call and close the connection without a response",
    "truncated": "process the call and respond with half of the JSON and its real length",
    "cut": "process the call, announce the whole body and close the connection after half of it",
    "slow_body": "process the call and write the body in pieces over `seconds`",
    "failed_status": "accept the message and fail it later: code, details",
    "wrong_sha256": "media: resolve with a digest that is not the content's",
    "expired_url": "media: resolve with a URL that has already expired",
    "corrupt": "media: download other bytes of the same length",
}

ENDPOINTS = {
    "messages": "POST /{number}/messages (and marketing_messages)",
    "read": "POST /{number}/messages with status read",
    "media_upload": "POST /{number}/media",
    "media_url": "GET /{media}",
    "media_download": "the URL that GET /{media} gave",
    "media_delete": "DELETE /{media}",
    "templates": "every call on templates",
    "nodes": "every other Graph call",
    "*": "all of these",
}

_RetryAfter = Annotated[str, TextOrWhole("^[ -~]{0,100}$", 0, "seconds or a date")]


def _named_in(names: Iterable[str]) -> Callable[[str], str]:
    def check_name(value: str) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return value

    return check_name


def _digits(phone: str) -> str:
    return addresses.digits(phone) or phone


def _values(names: Iterable[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(names)})


class FaultProperties(Properties):
    """The properties of a failure to plan.

    kind, endpoint: see KINDS and ENDPOINTS. phone: only calls about this customer's number, in any spelling.
    number_id: only calls about this number of the business. count: number of calls that fail, None for all.
    skip: matching calls that succeed first.
    probability: of each matching call, drawn from the world's seeded generator. retry_after: seconds or a date.
    status: by default that of the code for kind ``error``, 503 for others.
    """

    kind: Annotated[str, AfterValidator(_named_in(KINDS)), _values(KINDS)]
    endpoint: Annotated[str, AfterValidator(_named_in(ENDPOINTS)), _values(ENDPOINTS)] = "messages"
    phone: Annotated[str, AfterValidator(_digits)] = ""
    number_id: str = ""
    count: Annotated[int, Between(1)] | None = 1
    skip: Annotated[int, Between(0)] = 0
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    status: Annotated[int, Between(200, 599)] | None = None
    code: Annotated[int, Between()] = 2
    message: str = ""
    details: str = ""
    subcode: Annotated[int, Between()] | None = None
    retry_after: _RetryAfter = ""
    seconds: Seconds = 1.0


@dataclass(slots=True)
class Fault:
    """One planned failure: its properties, and how often it was applied."""

    id: int
    kind: str
    endpoint: str
    phone: str
    number_id: str
    count: int | None
    skip: int
    probability: float
    status: int
    code: int
    message: str
    details: str
    subcode: int | None
    retry_after: str
    seconds: float
    hits: int = 0

    def view(self) -> dict[str, Any]:
        """Return all properties."""
        return {name: getattr(self, name) for name in self.__slots__}


class FaultPlan:
    """Planned failures in order; the first match applies to a call."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._faults: list[Fault] = []
        self.spent: deque[Fault] = deque(maxlen=100)
        self._last = 0

    def add(self, wanted: FaultProperties) -> Fault:
        """Plan a failure."""
        self._last += 1
        properties = wanted.model_dump()
        if wanted.status is None:
            properties["status"] = http_status_of(wanted.code) if wanted.kind == "error" else 503
        fault = Fault(self._last, **properties)
        self._faults.append(fault)
        return fault

    def remove(self, fault_id: int) -> bool:
        """Remove a failure; return False for an unknown id."""
        kept = [fault for fault in self._faults if fault.id != fault_id]
        removed = len(kept) < len(self._faults)
        self._faults = kept
        return removed

    def clear(self) -> None:
        """Remove all failures."""
        self._faults = []
        self.spent.clear()

    def all(self) -> list[Fault]:
        """Return the failures that are still planned."""
        return list(self._faults)

    def take(self, endpoint: str, *, phone: str = "", number_id: str = "") -> Fault | None:
        """Return the failure of this call and count it; None if the call succeeds."""
        for fault in self._faults:
            if fault.endpoint not in ("*", endpoint):
                continue
            if fault.phone and fault.phone not in addresses.spellings(phone):
                continue
            if fault.number_id and fault.number_id != number_id:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.probability < 1 and self._chance.random() >= fault.probability:
                continue
            fault.hits += 1
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self._faults.remove(fault)
                    self.spent.append(fault)
            return fault
        return None
