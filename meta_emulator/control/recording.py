"""Route of recordings."""

from __future__ import annotations

from flask import Response

from meta_emulator.control.http import json_response
from meta_emulator.control.queries import RecordingQuery
from meta_emulator.control.routes import Controls, route
from meta_emulator.recording import record_session


class RecordingControls(Controls):
    """``/_emulator/recording``."""

    @route("GET", "/recording")
    def recording(self, query: RecordingQuery) -> Response:
        """Return the session's webhooks and Graph calls without personal details; ``?texts=1`` keeps texts.

        → ``{"version", "steps": [{"at", "webhook"} or {"at", "call"}], "skipped"}``, of the exchanges that are kept.
        """
        world = self.world
        found = record_session(
            tuple(world.exchanges),
            numbers={number.id: number.digits for number in world.numbers.values()},
            account_id=world.config.business_account_id,
            keep_texts=query.texts == "1",
        )
        return json_response(found)
