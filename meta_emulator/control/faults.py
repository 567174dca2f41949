"""Routes for planned failures (kinds and endpoints are in ``meta_emulator/faults.py``)."""

from __future__ import annotations

from flask import Response
from pydantic import TypeAdapter

from meta_emulator.control.bodies import Refusal, SeveralFaults
from meta_emulator.control.http import ControlError, json_body, json_response
from meta_emulator.control.routes import Controls, route
from meta_emulator.faults import ENDPOINTS, KINDS, FaultProperties
from meta_emulator.property_check import check

_ONE = TypeAdapter(FaultProperties)
_SEVERAL = TypeAdapter(SeveralFaults)


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

    @route("POST", "/faults", described_by=FaultProperties | SeveralFaults)
    def add(self) -> Response:
        """Plan one failure (a fault's properties) or several (``{"faults": […]}``) → ``{"faults": [planned]}``."""
        body = json_body()
        wanted = check(_SEVERAL, body).faults if "faults" in body else [check(_ONE, body)]
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
    def refuse(self, body: Refusal) -> Response:
        """Refuse connections for ``{"seconds"?}`` (ECONNREFUSED, also for the control API) → ``{"refusing"}``."""
        if self.world.refuse_connections is None:
            raise ControlError(409, "only a listening emulator can refuse connections")
        self.world.refuse_connections(body.seconds)
        return json_response({"refusing": body.seconds})
