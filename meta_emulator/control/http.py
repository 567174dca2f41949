"""Requests and responses of the control API."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request

from meta_emulator import addresses
from meta_emulator.records import BusinessNumber, Message, Phone
from meta_emulator.world import World

JsonObject = dict[str, Any]


class ControlError(Exception):
    """An error response: ``status`` and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def json_response(body: JsonObject, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(orjson.dumps(body), status, content_type="application/json")


def json_body() -> JsonObject:
    """Return the request's JSON object; an empty body is an empty object."""
    raw = request.get_data()
    if not raw:
        return {}
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ControlError(400, "the body is not JSON") from None
    if not isinstance(parsed, dict):
        raise ControlError(400, "the body must be a JSON object")
    return parsed


def find_phone(world: World, address: str) -> Phone:
    """Return the phone of a number in any spelling; 404 if there is none."""
    phone = world.find_phone(addresses.digits(address) or address)
    if phone is None:
        raise ControlError(404, "there is no such phone")
    return phone


def ensure_phone(world: World, address: str) -> Phone:
    """Return the phone of a number; add it if it is new."""
    number = addresses.digits(address)
    phone = world.find_phone(number or address)
    if phone is None:
        if number is None:
            status = 404 if addresses.is_bsuid(address) else 400
            raise ControlError(status, "there is no such phone; a new one's wa_id is 5 to 20 digits")
        phone = world.add_phone(number)
    return phone


def number_of(world: World, number_id: str | None) -> BusinessNumber:
    """Return the business number of this id, or the first one without an id."""
    if not number_id:
        return next(iter(world.numbers.values()))
    number = world.numbers.get(number_id)
    if number is None:
        raise ControlError(404, "there is no such business number")
    return number


def message_of(world: World, wamid: str) -> Message:
    """Return the message of this id; 404 if it is unknown."""
    message = world.messages.get(wamid)
    if message is None:
        raise ControlError(404, "there is no such message")
    return message
