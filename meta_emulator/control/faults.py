"""Routes for planned failures (kinds and endpoints are in ``meta_emulator/faults.py``)."""

from __future__ import annotations

from typing import Any

from flask import Response

from meta_emulator.control.http import ControlError, json_body, json_response, seconds_of
from meta_emulator.control.routes import Controls, route
from meta_emulator.faults import ENDPOINTS, KINDS


class FaultControls(Controls):
    """``/_emulator/faults`` and ``/_emulator/refuse``."""

    @route("GET", "/faults")
    def faults(self) -> Response:
        """Return ``{"faults": [planned], "spent": [used up], "kinds": {…}, "endpoints": {…}}``."""
        return json_response(
            {
                "faults": [fault.view() for fault in self.world.faults.all()],
                "spent": [fault.view() for fault in self.world.faults.spent],
                "kinds": KINDS,
                "endpoints": ENDPOINTS,
            }
        )

    @route("POST", "/faults")
    def add(self) -> Response:
        """Plan one failure (a fault's properties) or several (``{"faults": […]}``) → ``{"faults": [planned]}``."""
        body = json_body()
        wanted: Any = body.get("faults", [body])
        if not isinstance(wanted, list) or not all(isinstance(item, dict) for item in wanted):
            raise ControlError(400, "faults must be a list of objects")
        added = [self.world.faults.add(item).view() for item in wanted]
        for fault in added:
            self.world.hub.publish("fault", fault)
        return json_response({"faults": added})

    @route("DELETE", "/faults")
    def clear(self) -> Response:
        """Remove every planned failure → ``{"faults": []}``."""
        self.world.faults.clear()
        return json_response({"faults": []})

    @route("DELETE", "/faults/<int:fault_id>")
    def remove(self, fault_id: int) -> Response:
        """Remove a planned failure → ``{"removed": true}``."""
        if not self.world.faults.remove(fault_id):
            raise ControlError(404, "unknown fault")
        return json_response({"removed": True})

    @route("POST", "/refuse")
    def refuse(self) -> Response:
        """Refuse connections for ``{"seconds"}`` (ECONNREFUSED, also for the control API) → ``{"refusing"}``."""
        seconds = seconds_of(json_body(), "seconds", 1.0)
        if self.world.refuse_connections is None:
            raise ControlError(409, "only a listening emulator can refuse connections")
        self.world.refuse_connections(seconds)
        return json_response({"refusing": seconds})
