"""A load report as a table and as a chart (SVG)."""

from __future__ import annotations

from typing import Any

_ROWS = (
    ("messages", "messages written"),
    ("written_per_second", "written per second"),
    ("webhooks", "webhook POSTs"),
    ("webhooks_refused", "not answered 200"),
    ("ack_median_ms", "acknowledged, median (ms)"),
    ("ack_p99_ms", "acknowledged, 99th percentile (ms)"),
    ("acks_over_1_s", "acknowledged after more than 1 s"),
    ("answers", "answers"),
    ("answers_per_second", "answers per second"),
    ("answer_median_ms", "answered, median (ms)"),
    ("answer_p99_ms", "answered, 99th percentile (ms)"),
    ("lost", "lost"),
    ("waiting", "unanswered at the end"),
    ("twice", "answered twice"),
    ("out_of_order", "out of order"),
)
_WIDTH, _HEIGHT, _LEFT, _TOP = 720, 260, 60, 40


def as_table(report: dict[str, Any]) -> str:
    """Return the report as lines of text."""
    return "\n".join(f"{title:<36} {report[name]:>12,}" for name, title in _ROWS)


def as_svg(report: dict[str, Any]) -> str:
    """Return a chart: messages and answers per second, and the 99th percentile of acknowledgements."""
    timeline = report["timeline"] or [{"second": 0, "written": 0, "answers": 0, "ack_p99_ms": 0.0}]
    most = max(1.0, *(max(row["written"], row["answers"]) for row in timeline))
    slowest = max(1.0, *(row["ack_p99_ms"] for row in timeline))
    lines = "".join(
        _line([row[name] / top for row in timeline], colour, dashes)
        for name, top, colour, dashes in (
            ("written", most, "#2563eb", ""),
            ("answers", most, "#15803d", ""),
            ("ack_p99_ms", slowest, "#b45309", "4 3"),
        )
    )
    bottom, right = _TOP + _HEIGHT, _LEFT + _WIDTH
    title = (
        f"{report['messages']} messages of {report['plan']['conversations']} customers: {report['lost']} lost, "
        f"{report['twice']} twice, {report['out_of_order']} out of order"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right + 70} {bottom + 60}" '
        'font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{_LEFT}" y="24" font-size="15">{title}</text>'
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#666"/>'
        f'<text x="{_LEFT - 8}" y="{_TOP + 5}" text-anchor="end">{most:g}/s</text>'
        f'<text x="{right + 6}" y="{_TOP + 5}">{slowest:g} ms</text>'
        f'<text x="{right}" y="{bottom + 18}" text-anchor="end">{len(timeline)} s</text>{lines}'
        f'<text x="{_LEFT}" y="{bottom + 42}"><tspan fill="#2563eb">messages per second</tspan>'
        '<tspan dx="18" fill="#15803d">answers per second</tspan>'
        '<tspan dx="18" fill="#b45309">acknowledgement, 99th percentile</tspan></text></svg>\n'
    )


def _line(shares: list[float], colour: str, dashes: str) -> str:
    step = _WIDTH / max(len(shares) - 1, 1)
    points = " ".join(
        f"{_LEFT + place * step:.1f},{_TOP + _HEIGHT * (1 - share):.1f}" for place, share in enumerate(shares)
    )
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'
