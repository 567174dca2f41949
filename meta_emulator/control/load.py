"""Route of the load generator."""

from __future__ import annotations

from dataclasses import fields

from flask import Response

from meta_emulator.control.http import ControlError, json_body, json_response
from meta_emulator.control.routes import Controls, route
from meta_emulator.load import LoadPlan, play_load


class LoadControls(Controls):
    """``/_emulator/load``."""

    @route("POST", "/load")
    def load(self) -> Response:
        """Play customers and return the report when all is answered: a plan's properties → the report.

        ``{"conversations"?, "rate"?, "seconds"?, "statuses"?, "batching"?, "duplicates"?, "shuffle"?, "drain"?}``.
        """
        body = json_body()
        unknown = set(body) - {field.name for field in fields(LoadPlan)}
        if unknown:
            raise ControlError(400, f"unknown properties of a plan: {', '.join(sorted(unknown))}")
        return json_response(play_load(self.world, LoadPlan(**body)))
