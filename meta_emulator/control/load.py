"""Route of the load generator."""

from __future__ import annotations

from flask import Response

from meta_emulator.control.http import json_response
from meta_emulator.control.routes import Controls, route
from meta_emulator.load import LoadPlan, play_load


class LoadControls(Controls):
    """``/_emulator/load``."""

    @route("POST", "/load")
    def load(self, body: LoadPlan) -> Response:
        """Play customers as a plan says → the report, when all is answered.

        The plan: ``{"conversations"?, "rate"?, "seconds"?, "statuses"?, "batching"?, "duplicates"?, "shuffle"?,
        "drain"?}``.
        """
        return json_response(play_load(self.world, body))
