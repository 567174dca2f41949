"""`costs`: how many messages were charged, and their price by WA_RATE_CARD."""

from __future__ import annotations

import click

from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.terminal import CommandError, say, table


@click.command
@click.option("--from", "begin", default="", metavar="DAY", help="First day (UTC); default: this month's.")
@click.option("--to", "end", default="", metavar="DAY", help="Last day; default: today.")
@click.option("--by", default="category", show_default=True, help="category, type, country, number, batch, tag.")
def command(begin: str, end: str, by: str) -> int:
    """Sum up delivered and charged messages."""
    with open_runtime(load_settings()) as runtime:
        # Imported late: a metric series takes its slot in the shared files when it is created.
        from wa_service.observability.metrics_buffer import MetricsBuffer
        from wa_service.service import wiring
        from wa_service.service.costs import read_days, read_dimensions

        try:
            days, dimensions = read_days(begin, end), read_dimensions(by)
        except ValueError as error:
            raise CommandError(str(error)) from None
        report = wiring.build(runtime, MetricsBuffer()).costs.report(*days, dimensions)
    rows = [(*dimensions, "messages", "billable", f"amount {report.currency}".strip())]
    for line in (*report.lines, report.total):
        named = [line.group.get(name, "") for name in dimensions] if line.group or not dimensions else ["total"]
        named += [""] * (len(dimensions) - len(named))
        amount = "" if line.amount is None else f"{line.amount:f}"
        rows.append((*named, f"{line.messages:,}", f"{line.billable:,}", amount))
    say(f"From {report.first} to {report.last}, by the day of delivery (UTC).")
    say(table(rows))
    return 0
