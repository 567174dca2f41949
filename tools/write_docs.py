"""Write the tables of the documentation from the code: `make docs`.

A page has a table between `<!-- make docs: NAME -->` and `<!-- end -->`; `TABLES` names the function that writes it.
`tests/unit/house/test_documentation.py` fails if running this would change a page.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

from meta_emulator import fidelity
from meta_emulator.behaviour import Behaviour
from meta_emulator.control import control_routes
from meta_emulator.faults import KINDS
from wa_service import runtime
from wa_service.config import settings
from wa_service.config.web_options import WebOptions
from wa_service.observability import metrics
from wa_service.observability.exposition import StoreCollector
from wa_service.observability.log_events import LOG_EVENTS
from wa_service.store.keys import FAMILIES, QUEUES
from wa_service.store.overview import NumberState, Overview
from wa_service.web import problems
from wa_service.web.app import create_app
from wa_service.whatsapp import codes
from wa_service.whatsapp.codes import CodeRow
from wa_service.whatsapp.errors import CODES, SUBCODES

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"(?<=^<!-- make docs: )([\w-]+)( -->\n).*?(?=^<!-- end -->$)", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Return every page of the documentation, in order."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def written(page: str) -> str:
    """Return a page's text with regenerated tables."""
    return _BLOCK.sub(lambda block: f"{block[1]}{block[2]}{TABLES[block[1]]()}\n", page)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _settings(chosen: Callable[[settings.Variable], bool]) -> str:
    return _table(
        ["variable", "default", "meaning"],
        (
            [f"`{variable.name}`{' 🔒' if variable.secret else ''}", _default(variable), variable.sentence]
            for variable in settings.variables()
            if chosen(variable)
        ),
    )


def _default(variable: settings.Variable) -> str:
    if variable.default is None:
        return "**required**"
    shown = variable.default.replace("<", "&lt;").replace(">", "&gt;")
    return f"`{shown}`" if shown and " " not in shown and "&" not in shown else shown


def _metrics() -> str:
    ours = sorted((each for each in _series() if each.name.startswith("whatsapp_")), key=lambda each: each.name)
    return _table(
        ["series", "labels", "what"],
        (
            [f"`{each.name}{'_total' if each.type == 'counter' else ''}`", _labels(each), each.documentation]
            for each in ours
        ),
    )


def _series() -> Iterator[Metric]:
    """Yield every series with at least one sample of each labelled one; "<…>" stands for values that vary."""
    varies = "<…>"
    metrics.api_called(varies, 0, varies)
    metrics.price_reported(varies, varies)
    for choice in ("stop", "start"):
        metrics.marketing_chosen(choice, varies)
    metrics.subscription_served(varies)
    for state in ("running", "paused", "canceled", "done"):
        metrics.batch_changed(state, varies)
    yield from REGISTRY.collect()
    overview = Overview(
        depth=defaultdict(int),
        oldest_seconds=defaultdict(float),
        numbers={"<phone number id>": NumberState(0, 0, 0.0, "", half_open=False)},
        daily_limit=0,
        daily_remaining=0,
        dead_letters=dict.fromkeys(["failed", "crashed", "flood", "malformed"], 0),
        push_lag_seconds={varies: 0},
        push_paused_lag_seconds={varies: 0},
    )
    yield from StoreCollector(overview.samples).collect()


def _labels(series: Metric) -> str:
    """Return the labels of a series and their initial values."""
    known: dict[str, list[str]] = {}
    for sample in series.samples:
        for label, value in sample.labels.items():
            if label != "le" and value not in known.setdefault(label, []):
                known[label].append(value)
    return "; ".join(
        f"`{label}`: {', '.join(f'`{value}`' if not value.startswith('<') else value[1:-1] for value in values)}"
        for label, values in known.items()
    )


def _log_lines() -> str:
    return _table(
        ["name", "fact", "fields"],
        ([f"`{event.name}`", event.fact, event.fields] for event in LOG_EVENTS),
    )


def _problem_types() -> str:
    return _table(
        ["status", "`type` ends with", "title", "retryable"],
        ([str(kind.status), f"`{kind.name}`", kind.title, kind.retryable_text] for kind in problems.all_kinds()),
    )


def _codes(rows: Iterable[CodeRow]) -> str:
    return _table(
        ["code", "class", "group", "retry", "what to do"],
        ([_numbers(group), *_about(group[0])] for group in _runs(rows)),
    )


def _runs(rows: Iterable[CodeRow]) -> Iterator[list[CodeRow]]:
    """Combine adjacent codes with the same description into one line."""
    run: list[CodeRow] = []
    for row in rows:
        if run and row[1:] == run[-1][1:] and row.code == run[-1].code + 1:
            run.append(row)
        else:
            if run:
                yield run
            run = [row]
    if run:
        yield run


def _numbers(run: Sequence[CodeRow]) -> str:
    return str(run[0].code) if len(run) == 1 else f"{run[0].code}–{run[-1].code}"


def _about(row: CodeRow) -> list[str]:
    wait = f"{row.wait / 3600:g} h" if row.wait >= 3600 else f"{row.wait / 60:g} min"
    again = f"after {wait if row.wait >= 60 else f'{row.wait:g} s'}" if row.retryable else "no"
    known = CODES.get(row.code) or SUBCODES[row.code]
    return [f"`{known.error.__name__}`", row.group, again, row.advice]


def _routes() -> str:
    example = settings.load(_EXAMPLE)
    app = create_app(runtime.build(example), WebOptions.of(example))
    described: dict[str, dict[str, Any]] = app.test_client().get("/openapi.json").get_json()["paths"]
    return _table(
        ["call", "role", "what"],
        (
            [f"`{method.upper()} {path}`", f"`{call['x-role']}`", call["summary"]]
            for path, calls in described.items()
            for method, call in calls.items()
        ),
    )


# Nothing listens there: describing the API needs no store.
_EXAMPLE = {
    "WHATSAPP_ACCESS_TOKEN": "token",
    "WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
    "WHATSAPP_VERIFY_TOKEN": "verify",
    "WHATSAPP_APP_SECRET": "secret",
    "WA_API_KEYS": "docs:a-key-of-at-least-twenty-characters:admin",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def _keys() -> str:
    found = {
        "conversation": "by conversation",
        "address": "by address",
        "holds": "by what it holds",
        "no": "not personal",
    }
    return _table(
        ["key", "type", "holds", "lives", "erasure finds it"],
        ([f"`{each.name}`", each.form, each.holds, each.lives, found[each.personal]] for each in FAMILIES),
    )


def _empty_queues() -> str:
    patterns = " ".join(f"'{re.sub(':<.*', ':*', name)}'" for name in QUEUES)
    loop = fill(f"for pattern in {patterns}", 90, subsequent_indent="    ").replace("\n", " \\\n")
    return f"""```sh
{loop}
do
  redis-cli -u "$REDIS_URL" --scan --pattern "wa:{{main}}:$pattern"   # main is WA_STORE_TAG
done | xargs -r redis-cli -u "$REDIS_URL" unlink
```"""


def _emulator_controls() -> str:
    rows = []
    for each in control_routes():
        path = re.sub(r"<(?:int:)?(.*?)>", r"{\1}", each.path)
        rows.append([f"`{each.method} {path}`", _one_line(each.view.__doc__)])
    return _table(["call", "what"], sorted(rows, key=lambda row: row[0].split()[1]))


def _emulator_fidelity(rows: Iterable[fidelity.Fidelity]) -> str:
    return _table(["what", "", "source", "what differs"], ([row.what, row.level, row.source, row.note] for row in rows))


def _emulator_options() -> str:
    text = inspect.cleandoc(Behaviour.__doc__ or "")
    defaults = Behaviour().view()
    described = re.findall(r"^(\w+): (.*?)(?=\n\w+: |\Z)", text, re.MULTILINE | re.DOTALL)
    rows = ([f"`{name}`", f"`{json.dumps(defaults[name])}`", _one_line(what)] for name, what in described)
    return _table(["option", "default", "what"], rows)


def _one_line(docstring: str | None) -> str:
    return " ".join(inspect.cleandoc(docstring or "").replace("``", "`").split())


def _emulator_faults() -> str:
    return _table(["kind", "what"], ([f"`{kind}`", what] for kind, what in KINDS.items()))


TABLES: dict[str, Callable[[], str]] = {
    "settings": lambda: _settings(lambda _: True),
    "settings-of-meta": lambda: _settings(lambda variable: variable.name.startswith("WHATSAPP_")),
    "metrics": _metrics,
    "log-lines": _log_lines,
    "problem-types": _problem_types,
    "routes": _routes,
    "keys": _keys,
    "empty-queues": _empty_queues,
    "emulator-controls": _emulator_controls,
    "emulator-options": _emulator_options,
    "emulator-faults": _emulator_faults,
    "fidelity-endpoints": lambda: _emulator_fidelity(fidelity.endpoints()),
    "fidelity-behaviours": lambda: _emulator_fidelity(fidelity.BEHAVIOURS),
    "fidelity-missing": lambda: _emulator_fidelity(fidelity.MISSING),
    **{f"codes-{name}": partial(_codes, rows) for name, rows in codes.SECTIONS.items()},
}


def main() -> None:
    """Write and print every page whose tables differ from the code; with `--check` only print it."""
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = written(before)
        if after != before:
            sys.stdout.write(f"{page.relative_to(ROOT)}\n")
            if "--check" not in sys.argv:
                page.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
