"""`/v1/templates`: the message templates of the business account."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from wa_service.service.template_cache import Definitions, TemplateCache
from wa_service.web.auth import allow
from wa_service.web.models import ResponseBody
from wa_service.web.openapi import operation
from wa_service.web.problems import NOT_CONFIGURED, ProblemError


class TemplateList(ResponseBody):
    """The templates of the business account, as Meta describes them."""

    items: list[dict[str, Any]]


def add_template_routes(api: APIBlueprint, templates: TemplateCache) -> None:
    """Add the route."""

    @api.get("/templates", **operation(200, TemplateList))
    @allow("read")
    def list_templates() -> Response:
        """List the business account's templates, at most a minute old."""
        return TemplateList(items=[dict(item) for item in definitions(templates)]).respond()


def definitions(templates: TemplateCache) -> Definitions:
    """Return the business account's templates.

    Raises:
        ProblemError: no business account is configured.
        WhatsAppError: the call to Meta failed.
    """
    if not templates.is_configured:
        raise ProblemError(NOT_CONFIGURED, "Templates need WHATSAPP_BUSINESS_ACCOUNT_ID.")
    return templates.all()
