"""Routes for templates and their review."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response

from meta_emulator import template_review
from meta_emulator.control.bodies import TemplateDecision
from meta_emulator.control.http import ControlError, json_response
from meta_emulator.control.routes import Controls, route


class TemplateControls(Controls):
    """``/_emulator/templates…``."""

    @route("GET", "/templates")
    def templates(self) -> Response:
        """Return ``{"templates": [{id, name, language, category, status, components, …}]}``."""
        return json_response({"templates": [asdict(template) for template in self.world.templates.values()]})

    @route("POST", "/templates/<template_id>")
    def decide(self, template_id: str, body: TemplateDecision) -> Response:
        """Set the status: ``{"status", "reason"?}`` → the template; sends the webhook."""
        template = self.world.templates.get(template_id)
        if template is None:
            raise ControlError(404, "unknown template")
        template_review.set_status(self.world, template, body.status, body.reason)
        return json_response(asdict(template))
