"""`/v1/costs`: what messages were charged for."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from wa_service.service.costs import DIMENSIONS, CostLine, CostReport, CostService, read_days, read_dimensions
from wa_service.web.auth import allow
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.models import ResponseBody
from wa_service.web.openapi import operation
from wa_service.web.problems import INVALID, ProblemError

_DAY = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"
_GROUP = "|".join(DIMENSIONS)


class CostQuery(CachedSchemaModel):
    """Which days, and how to group them."""

    from_: Annotated[str, Field(alias="from", pattern=_DAY, description="First day (UTC); else this month's.")] = ""
    to: str = Field(default="", pattern=_DAY, description="Last day, inclusive; else today.")
    by: str = Field(
        default="category",
        max_length=80,
        description="Comma separated: `category`, `type`, `country`, `number`, `batch`, `tag`.",
        json_schema_extra={"pattern": rf"^(({_GROUP})(, ?({_GROUP}))*)?$"},
    )


class CostItem(ResponseBody):
    """Delivered messages, `billable` of them charged. `amount` is null without a rate card that prices all of them."""

    group: dict[str, str]
    messages: int
    billable: int
    amount: str | None

    @classmethod
    def of(cls, line: CostLine) -> CostItem:
        """Return a line as its caller sees it."""
        amount = None if line.amount is None else f"{line.amount:f}"
        return cls(group=dict(line.group), messages=line.messages, billable=line.billable, amount=amount)


class CostAnswer(ResponseBody):
    """Delivered messages according to Meta's statuses; each counts once, on the day of its delivery.

    A message to a group counts once for each participant.
    """

    from_: Annotated[str, Field(alias="from")]
    to: str
    currency: str | None
    items: list[CostItem]
    total: CostItem

    @classmethod
    def of(cls, report: CostReport) -> CostAnswer:
        """Return a report as its caller sees it."""
        return cls(
            **{"from": report.first.isoformat()},
            to=report.last.isoformat(),
            currency=report.currency or None,
            items=[CostItem.of(line) for line in report.lines],
            total=CostItem.of(report.total),
        )


def add_cost_routes(api: APIBlueprint, service: CostService) -> None:
    """Add the route."""

    @api.get("/costs", **operation(200, CostAnswer))
    @allow("read")
    def show_costs(query: CostQuery) -> Response:
        """Sum up what messages were charged for."""
        try:
            first, last = read_days(query.from_, query.to)
        except ValueError as error:
            raise ProblemError(INVALID, fields=[("from", str(error))]) from None
        try:
            by = read_dimensions(query.by)
        except ValueError as error:
            raise ProblemError(INVALID, fields=[("by", str(error))]) from None
        return CostAnswer.of(service.report(first, last, by)).respond()
