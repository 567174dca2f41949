"""`batch send --dry-run`: what a batch would send and cost, and which lines of its file would be refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wa_service.cli.batch_file import CustomerFile
from wa_service.cli.terminal import complain, say, table
from wa_service.service.batch_request import MOST_ITEMS, BatchRequest
from wa_service.service.rate_card import BILLABLE
from wa_service.store.batches import ItemProblem
from wa_service.whatsapp.countries import country_of

if TYPE_CHECKING:
    from wa_service.service.wiring import Services

SHOWN = 3
PROBLEMS_SHOWN = 20
LINES_SHOWN = 5


def try_batch(services: Services, requests: Sequence[BatchRequest], customers: CustomerFile) -> int:
    """Check every message, show three, count and price all; return 1 if one would be refused, else 0."""
    countries: Counter[str] = Counter()
    problems: list[ItemProblem] = []
    definition = definition_of(services, requests[0])
    shown = 0
    for part, request in enumerate(requests):
        for index in range(len(request.places)):
            judged = services.batches.check(request, index)
            if isinstance(judged, ItemProblem):
                problems.append(ItemProblem(part * MOST_ITEMS + index, judged.sentence, judged.fields))
                continue
            countries[country_of(judged.send.address) or "?"] += 1
            if shown < SHOWN:
                shown += 1
                say(_shown(definition, judged.send.address, judged.send.body))
    say(f"{sum(countries.values()):,} messages would be sent.")
    say(table([("country", "messages"), *((name, f"{count:,}") for name, count in countries.most_common())]))
    _tell_price(services, requests[0].template, countries)
    tell_problems(problems, customers)
    return 1 if problems else 0


def definition_of(services: Services, request: BatchRequest) -> Mapping[str, Any] | None:
    """Return Meta's definition of the template; complain if there is none, or it is not approved."""
    template = (request.shared or {}).get("template")
    if not isinstance(template, Mapping) or not services.templates.is_configured:
        return None
    named = [each for each in services.templates.all() if each.get("name") == template.get("name")]
    given = template.get("language")
    language = str(given.get("code") if isinstance(given, Mapping) else given).replace("-", "_")
    found = next((each for each in named if each.get("language") == language), None)
    if found is None:
        languages = ", ".join(str(each.get("language")) for each in named)
        known = f"it is available in {languages}" if named else "python -m wa_service templates lists them"
        complain(f"Meta's list has no template {template.get('name')} in {language}: {known}.")
    elif found.get("status") != "APPROVED":
        complain(f"The template is {str(found.get('status')).lower()}: Meta does not send it now.")
    return found


def _shown(definition: Mapping[str, Any] | None, address: str, body: bytes) -> str:
    """Return a message as its customer reads it if possible, else as it is sent to Meta."""
    from wa_service.service.template_preview import TemplateField, preview

    message = json.loads(body)
    if message.get("type") == "text":
        return f"{address}: {message['text']['body']}"
    if definition is None:
        return body.decode()
    values = {}
    for component in message["template"].get("components", ()):
        for place, parameter in enumerate(component.get("parameters", ()), 1):
            name = parameter.get("parameter_name") or str(place)
            field = TemplateField(component["type"].lower(), name, int(component.get("index", 0)))
            values[field.key] = str(parameter.get("text", ""))
    return "\n".join((f"{address}:", *(f"  {part}: {text}" for part, text in preview(definition, values))))


def _tell_price(services: Services, template: str | None, countries: Mapping[str, int]) -> None:
    """Print the price by the rate card, as if every message were charged."""
    card = services.costs.rate_card
    if card is None or not countries or template is None or not services.templates.is_configured:
        return
    named = [each for each in services.templates.all() if each.get("name") == template]
    categories = {str(each.get("category", "")).lower() for each in named}
    if len(categories) != 1:
        return
    (category,) = categories
    line = services.costs.price_of({(category, BILLABLE, country): count for country, count in countries.items()})
    amount = "a price is missing" if line.amount is None else f"{line.amount:f} {card.currency}".strip()
    say(f"At most, as {category}: {amount}.")


def sentence_of(problem: ItemProblem) -> str:
    """Return an item's problem as a sentence, with the fields if they are known."""
    return "; ".join(f"{field}: {sentence}" for field, sentence in problem.fields) or problem.sentence


def tell_problems(problems: Sequence[ItemProblem], customers: CustomerFile) -> None:
    """Print which lines of the file are refused, grouped by reason."""
    lines: dict[str, list[int]] = {}
    for each in problems:
        lines.setdefault(sentence_of(each), []).append(customers.rows[each.index].line)
    for sentence, where in list(lines.items())[:PROBLEMS_SHOWN]:
        shown = ", ".join(str(line) for line in where[:LINES_SHOWN])
        more = f" and {len(where) - LINES_SHOWN:,} more" if len(where) > LINES_SHOWN else ""
        say(f"line {shown}{more} {'is' if len(where) == 1 else 'are'} refused: {sentence}")
    if len(lines) > PROBLEMS_SHOWN:
        left = sum(len(where) for where in list(lines.values())[PROBLEMS_SHOWN:])
        say(f"… and {left:,} more are refused for other reasons; batch report lists all.")
