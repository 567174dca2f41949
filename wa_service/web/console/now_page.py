"""The console's first page: the state of the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template

import wa_service
from wa_service.service.now import NowView
from wa_service.web.auth import allow
from wa_service.web.console.guard import not_found

_RUNBOOKS = Path(wa_service.__file__).parents[1] / "docs" / "runbooks"
_WIDTH, _HEIGHT = 240, 60


@dataclass(frozen=True, slots=True)
class Chart:
    """One series of the last hour as points of an SVG polyline; `text` is its description for screen readers."""

    name: str
    line: str
    area: str
    total: int
    most: int

    @property
    def text(self) -> str:
        """The chart's text alternative."""
        return f"{self.total} {self.name} in the last hour, at most {self.most} in a minute"


def chart_of(name: str, values: Sequence[int]) -> Chart:
    """Return the chart of counts per minute, oldest first."""
    most = max([*values, 1])
    step = _WIDTH / max(1, len(values) - 1)
    points = [f"{i * step:.1f},{_HEIGHT - 2 - value / most * (_HEIGHT - 4):.1f}" for i, value in enumerate(values)]
    line = " ".join(points)
    return Chart(name, line, f"0,{_HEIGHT} {line} {_WIDTH},{_HEIGHT}", sum(values), max([*values, 0]))


def add_now_page(pages: Blueprint, now: NowView) -> None:
    """Add the page, and the runbooks that it links to."""
    runbooks = {file.stem: file for file in _RUNBOOKS.glob("*.md")}

    @pages.get("")
    @allow("session: read")
    def now_page() -> Response:
        """Show the state of everything, and problems."""
        seen = now.read()
        charts = [chart_of(name, values) for name, values in seen.rates.items()]
        return make_response(render_template("console/now.html", now=seen, charts=charts))

    @pages.get("/runbooks/<name>")
    @allow("session: read")
    def runbook_page(name: str) -> Response:
        """Show a runbook from docs/runbooks."""
        file = runbooks.get(name)
        if file is None:
            not_found(f"See docs/runbooks/{name}.md in the project; this installation does not include it.")
        return make_response(render_template("console/runbook.html", name=name, text=file.read_text("utf-8")))
