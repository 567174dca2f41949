"""The control face under ``/_emulator/``: everything a test or the page does to the world, apart from Graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from flask import Blueprint, Response, request

from . import addresses
from . import phone as acts
from .records import BusinessNumber, Message, Phone

if TYPE_CHECKING:
    from .world import World

JsonObject = dict[str, Any]


class ControlError(Exception):
    """A control call that cannot be done: ``status`` and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def control_blueprint(world: World) -> Blueprint:
    """All controls; a mistake answers ``{"error": "<sentence>"}`` with 400, 404 or 409."""
    blueprint = Blueprint("control", __name__, url_prefix="/_emulator")

    @blueprint.errorhandler(ControlError)
    def refused(error: ControlError) -> Response:
        return answer({"error": str(error)}, error.status)

    @blueprint.errorhandler(ValueError)
    def wrong(error: ValueError) -> Response:
        return answer({"error": str(error)}, 400)

    @blueprint.get("/phones")
    def phones() -> Response:
        return answer({"phones": [phone.view() for phone in world.phones.values()]})

    @blueprint.post("/phones")
    def add_phone() -> Response:
        body = json_body()
        number = addresses.digits(str(body.pop("wa_id", "")))
        if number is None:
            raise ControlError(400, "a phone's wa_id is 5 to 20 digits")
        known = world.find_phone(number)
        return answer(world.add_phone(known.wa_id if known else number, **traits(body)).view())

    @blueprint.get("/phones/<wa_id>/messages")
    def phone_messages(wa_id: str) -> Response:
        phone = find_phone(world, wa_id)
        shown = [message.view() for message in world.messages_of(phone)]
        return answer({"messages": shown, "phone": phone.view(), "cursor": world.hub.last_id})

    @blueprint.post("/phones/<wa_id>/messages")
    def phone_writes(wa_id: str) -> Response:
        body = json_body()
        phone = ensure_phone(world, wa_id)
        message = acts.write(world, phone, number_of(world, body.pop("phone_number_id", None)), body)
        return answer({"id": message.id, "message": message.view()})

    return blueprint


TRAITS: dict[str, type] = {
    "name": str,
    "user_id": str,
    "username": str,
    "number_hidden": bool,
    "on_whatsapp": bool,
    "auto_deliver": bool,
    "auto_read": bool,
    "read_receipts": bool,
    "marketing": bool,
}


def traits(body: JsonObject) -> JsonObject:
    """The phone's traits that a body sets; 400 names one that is unknown or of the wrong type."""
    for name, value in body.items():
        if name not in TRAITS or not isinstance(value, TRAITS[name]):
            raise ControlError(400, f"{name} is no trait of a phone, or has the wrong type")
    return body


def answer(body: JsonObject, status: int = 200) -> Response:
    """A control's JSON answer."""
    return Response(orjson.dumps(body), status, content_type="application/json")


def json_body() -> JsonObject:
    """The request's JSON object; an empty body is an empty object."""
    raw = request.get_data()
    if not raw.strip():
        return {}
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ControlError(400, "the body is not JSON") from None
    if not isinstance(parsed, dict):
        raise ControlError(400, "the body must be a JSON object")
    return parsed


def find_phone(world: World, address: str) -> Phone:
    """The phone of a number in any spelling; 404 where there is none."""
    phone = world.find_phone(addresses.digits(address) or address)
    if phone is None:
        raise ControlError(404, "there is no such phone")
    return phone


def ensure_phone(world: World, address: str) -> Phone:
    """The phone of a number, added if it is new."""
    number = addresses.digits(address)
    phone = world.find_phone(number or address)
    if phone is None:
        if number is None:
            raise ControlError(400, "a phone's wa_id is 5 to 20 digits")
        phone = world.add_phone(number)
    return phone


def number_of(world: World, number_id: Any) -> BusinessNumber:
    """The business number of this id; the first one where none is named."""
    if number_id is None:
        return next(iter(world.numbers.values()))
    number = world.numbers.get(str(number_id))
    if number is None:
        raise ControlError(404, "there is no such business number")
    return number


def message_of(world: World, wamid: Any) -> Message:
    """The message of this id; 404 where it is not known (any more)."""
    message = world.messages.get(str(wamid))
    if message is None:
        raise ControlError(404, "there is no such message")
    return message
