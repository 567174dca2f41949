"""Templates as Meta's reviewers see them."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response

from meta_emulator import template_review
from meta_emulator.control.http import ControlError, json_body, json_response
from meta_emulator.control.routes import Controls, route

STATUSES = ("APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED", "FLAGGED", "IN_APPEAL", "ARCHIVED")


class TemplateControls(Controls):
    """``/_emulator/templates…``."""

    @route("GET", "/templates")
    def templates(self) -> Response:
        """``{"templates": [{id, name, language, category, status, components, …}]}``."""
        return json_response({"templates": [asdict(template) for template in self.world.templates.values()]})

    @route("POST", "/templates/<template_id>")
    def decide(self, template_id: str) -> Response:
        """Decide: ``{"status", "reason"?}`` → the template; the business gets its webhook."""
        template = self.world.templates.get(template_id)
        if template is None:
            raise ControlError(404, "there is no such template")
        body = json_body()
        if body.get("status") not in STATUSES:
            raise ControlError(400, f"status must be one of {', '.join(STATUSES)}")
        template_review.set_status(self.world, template, body["status"], str(body.get("reason", "NONE")))
        return json_response(asdict(template))
