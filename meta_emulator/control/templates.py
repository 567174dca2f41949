"""Routes for templates and their review."""

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
        """Return ``{"templates": [{id, name, language, category, status, components, …}]}``."""
        return json_response({"templates": [asdict(template) for template in self.world.templates.values()]})

    @route("POST", "/templates/<template_id>")
    def decide(self, template_id: str) -> Response:
        """Set the status: ``{"status", "reason"?}`` → the template; sends the webhook."""
        template = self.world.templates.get(template_id)
        if template is None:
            raise ControlError(404, "unknown template")
        body = json_body()
        if body.get("status") not in STATUSES:
            raise ControlError(400, f"status must be one of {', '.join(STATUSES)}")
        template_review.set_status(self.world, template, body["status"], str(body.get("reason", "NONE")))
        return json_response(asdict(template))
