"""Server-sent events with replay (``GET /_emulator/events``)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson
from flask import Blueprint, Response, request

from meta_emulator.event_hub import WorldEvent
from meta_emulator.world import World

_IDLE_SECONDS = 15.0


def event_stream_blueprint(world: World) -> Blueprint:
    """Return the stream's route.

    ``?after=`` or ``Last-Event-ID`` replays events after that id; without either the whole history is replayed.
    Events are named by kind: ``phone``, ``message``, ``typing``, ``exchange``, ``handshake``,
    ``fault``, ``clock``, ``reset`` (read the state again).
    """
    blueprint = Blueprint("live", __name__)

    @blueprint.get("/_emulator/events")
    def events() -> Response:
        last = request.headers.get("Last-Event-ID") or request.args.get("after") or "0"
        after = int(last) if re.fullmatch("[0-9]{1,15}", last) else 0
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Response(_stream(world, after), content_type="text/event-stream", headers=headers)

    return blueprint


def _stream(world: World, after: int) -> Iterator[bytes]:
    yield b"retry: 500\n\n"
    for event in world.hub.stream(after, _IDLE_SECONDS):
        yield b": keep-alive\n\n" if event is None else _frame(event)


def _frame(event: WorldEvent) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.kind.encode(), orjson.dumps(event.data))
