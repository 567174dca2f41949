"""The body of `POST /v1/batches`: one message with values for each customer, or many messages, one a line."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import orjson

from wa_service.service.quiet_hours import QuietHours
from wa_service.service.refusals import InvalidRequestError
from wa_service.service.send_request import read_send_at, read_tag
from wa_service.store.batches import StopWhen

MOST_ITEMS: Final = 10_000
MOST_VALUES: Final = 400_000
"""Most commas and opening brackets of a body, each of which may be a value: parsing millions blocks the process."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of all messages of a batch, about as many as an API key may have waiting."""
LARGEST_ITEM: Final = 128 * 1024
"""Most bytes of one item, as of a single message."""
MOST_EXPANDED: Final = 1024 * 1024
"""Most bytes of an item times the placeholders of its message."""
_PLACEHOLDER: Final = re.compile(r"\{\{ ?([A-Za-z_][A-Za-z0-9_]{0,63}) ?\}\}")
_BRACES: Final = re.compile(r"\{\{(.{0,80}?)\}\}", re.DOTALL)
_SETTINGS: Final = frozenset({"send_at", "tag", "quiet", "stop_when"})
_SHARED: Final = frozenset({"from", "ttl", "take", "category"})
_OF_A_TEMPLATE: Final = ("header", "body", "buttons", "language")
_ADDRESSES: Final = ("to", "recipient", "recipient_type")


class MissingValueError(ValueError):
    """A message has a placeholder for which its item has no value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The message names {{{{ {name} }}}}, and this item has no such value.")
        self.name = name


@dataclass(frozen=True)
class BatchRequest:
    """A requested batch. `places`: by index, a message object, or an item with values for `shared`."""

    places: Sequence[Any]
    shared: Mapping[str, Any] | None
    tag: str | None = None
    send_at: int = 0
    quiet: str | None = None
    stop_when: StopWhen | None = None

    @property
    def template(self) -> str | None:
        """The name of the template that all items send, if there is one."""
        names = {name for name, _ in self._templates}
        return names.pop() if len(names) == 1 else None

    @property
    def language(self) -> str | None:
        """The language of that template, if all items send it in the same one."""
        languages = {language for _, language in self._templates}
        return languages.pop() if len(languages) == 1 else None

    @cached_property
    def _templates(self) -> set[tuple[str | None, str | None]]:
        """Name and language of the items' templates; None for what is unknown, or not a template."""
        items = [place for place in self.places if isinstance(place, Mapping)]
        if self.shared is None:
            return {_template_of(item) for item in items}
        name, language = _template_of(self.shared)
        return {(name, None if any(item.get("language") is not None for item in items) else language)}

    @cached_property
    def _places_for_values(self) -> int:
        """The number of placeholders in the shared message."""
        return sum(1 for _ in placeholders(self.shared))

    def message(self, place: Any) -> dict[str, Any]:
        """Return the message of one item, as for `POST /v1/messages`.

        Raises:
            InvalidRequestError: the item is not an object, is too large, or a value is missing.
        """
        if not isinstance(place, Mapping):
            raise InvalidRequestError("The item is not a JSON object.")
        size = _size(place)
        if size > LARGEST_ITEM or (self.shared is not None and size * self._places_for_values > MOST_EXPANDED):
            raise InvalidRequestError("The item is too large.")
        if self.shared is None:
            message = dict(place)
        else:
            message = _with_values(self.shared, place)
            message |= _given(place, (*_ADDRESSES, *_SHARED, "send_at"))
        if message.get("fallback_template") is not None:
            raise _wrong("fallback_template", "An item of a batch cannot have one: it would be counted twice.")
        if message.get("despite_stop") is not None:
            raise _wrong("despite_stop", "A batch is never sent to customers who said STOP.")
        if self.tag is not None:
            message.setdefault("tag", self.tag)
        return message


def check_size(body: bytes) -> None:
    """Refuse a body whose parsing would block the process.

    Raises:
        InvalidRequestError: it has too many values, or too many lines.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES or body.count(b"\n") > MOST_VALUES:
        raise InvalidRequestError(f"The batch has more than {MOST_VALUES} values: send smaller ones.")


def read_batch(body: Mapping[str, Any], *, schedule_days: int = 35) -> BatchRequest:
    """Read a batch of one message and its items.

    Raises:
        InvalidRequestError: with every invalid field; the items are checked later, one by one.
        ScheduledTooFarError: `send_at` is more than `schedule_days` ahead.
    """
    unknown = sorted(set(body) - _SETTINGS - _SHARED - {"template", "message", "items"})
    if unknown:
        raise InvalidRequestError("The batch is not valid.", [(name[:64], "This is unknown.") for name in unknown[:20]])
    forms = [name for name in ("template", "message") if body.get(name) is not None]
    if len(forms) != 1 or not isinstance(body[forms[0]], Mapping):
        raise _wrong("template", "Give either template or message, an object, which all items send.")
    items = body.get("items")
    if not isinstance(items, list):
        raise _wrong("items", "This must be a list.")
    shared = {"template": body["template"]} if forms == ["template"] else dict(body["message"])
    # Beside an item's `recipient` Meta would send to a fixed `to`, and an item without address must be refused.
    fixed = [name for name in ("to", "recipient") if not any(placeholders(shared.get(name)))]
    shared = {name: value for name, value in shared.items() if name not in fixed}
    shared |= {name: body[name] for name in _SHARED if body.get(name) is not None}
    if _size(shared) * len(items) > MOST_BYTES:
        raise _wrong(forms[0], f"The message is too large for so many items: {MOST_BYTES >> 20} MiB in total.")
    for braces in _texts(shared):
        # Other braces would be sent to customers unchanged.
        for found in _BRACES.finditer(braces):
            if not _PLACEHOLDER.fullmatch(found[0]):
                sentence = "{{ }} must have the name of a value: letters, digits and _, beginning with a letter or _."
                raise _wrong(forms[0], sentence)
    return _request(items, shared, body, schedule_days)


def read_lines(body: bytes, *, schedule_days: int = 35) -> BatchRequest:
    """Read a batch of messages, one JSON object a line; a first line `{"batch": {…}}` has the batch's settings.

    Raises:
        InvalidRequestError: the settings are invalid, or the first line, which may have them, is not a JSON object;
            another line that is not JSON is refused as an item.
    """
    lines = [line for line in body.removeprefix(BOM_UTF8).split(b"\n") if line.strip()]
    others = lines[1:]
    messages = [_line(line) for line in lines[:1]]
    settings: Any = {}
    if messages and not isinstance(messages[0], dict):
        raise _wrong("batch", "The first line is not a JSON object.")
    if messages and "batch" in messages[0]:
        if len(messages[0]) > 1:
            raise _wrong("batch", "The first line has settings and other fields: put the message on its own line.")
        settings = messages.pop()["batch"]
    if not isinstance(settings, dict) or set(settings) - _SETTINGS:
        raise _wrong("batch", f"This must be an object of {', '.join(sorted(_SETTINGS))}.")
    _check_count(len(messages) + len(others))
    return _request([*messages, *map(_line, others)], None, settings, schedule_days)


def _template_of(message: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return name and language of a message's template; of a language with a placeholder None."""
    template = message.get("template")
    if not isinstance(template, Mapping):
        return None, None
    name, language = template.get("name"), template.get("language")
    code = language.get("code") if isinstance(language, Mapping) else language
    return name if isinstance(name, str) else None, code if isinstance(code, str) and "{{" not in code else None


def _size(given: Any) -> int:
    """The bytes of a value as JSON; more than allowed if it is nested too deeply."""
    try:
        return len(orjson.dumps(given))
    except TypeError:
        return MOST_BYTES + 1


def placeholders(given: Any) -> Iterator[str]:
    """Yield the names of a message's placeholders."""
    for text in _texts(given):
        yield from _PLACEHOLDER.findall(text)


def rename_placeholders(given: Any, names: Mapping[str, str]) -> Any:
    """Return a message whose placeholders have other names; `names` has the new one of each."""
    return _filled(given, {name: f"{{{{ {new} }}}}" for name, new in names.items()})


def _texts(given: Any) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, Mapping):
        for value in given.values():
            yield from _texts(value)
    elif isinstance(given, list):
        for value in given:
            yield from _texts(value)


def _request(
    places: Sequence[Any], shared: Mapping[str, Any] | None, settings: Mapping[str, Any], schedule_days: int
) -> BatchRequest:
    _check_count(len(places))
    return BatchRequest(
        places,
        shared,
        read_tag(settings.get("tag")),
        read_send_at(settings.get("send_at"), schedule_days) or 0,
        _quiet(settings.get("quiet")),
        _stop_when(settings),
    )


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_ITEMS:
        raise _wrong("items", f"A batch has 1 to {MOST_ITEMS} items.")


def _line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _with_values(shared: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message of one item; the item's own parts of a template are used unchanged."""
    template = shared.get("template")
    own = _given(place, _OF_A_TEMPLATE) if isinstance(template, Mapping) else {}
    common = dict(shared)
    if isinstance(template, Mapping):
        common["template"] = {name: value for name, value in template.items() if name not in own}
    try:
        message: dict[str, Any] = _filled(common, place)
    except MissingValueError as error:
        raise InvalidRequestError("A value is missing.", [(error.name, str(error))]) from None
    if own:
        message["template"] |= own
    return message


def _given(place: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return an item's own values for fields of the message; null is none, as many programs write."""
    return {name: place[name] for name in names if place.get(name) is not None}


def _filled(given: Any, values: Mapping[str, Any]) -> Any:
    """Return a message with its placeholders replaced by one item's values."""
    if isinstance(given, str):
        return _PLACEHOLDER.sub(lambda found: _value(found[1], values), given) if "{{" in given else given
    if isinstance(given, Mapping):
        return {name: _filled(value, values) for name, value in given.items()}
    if isinstance(given, list):
        return [_filled(value, values) for value in given]
    return given


def _value(name: str, values: Mapping[str, Any]) -> str:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise MissingValueError(name)
    return str(value)


def _quiet(given: Any) -> str | None:
    if given is None:
        return None
    try:
        QuietHours.read(given if isinstance(given, str) else "")
    except ValueError as error:
        raise _wrong("quiet", str(error)) from None
    return str(given)


def _stop_when(settings: Mapping[str, Any]) -> StopWhen | None:
    given = settings.get("stop_when")
    if given is None:
        return None
    if isinstance(given, Mapping) and set(given) == {"failed_share", "after"}:
        share, after = given["failed_share"], given["after"]
        numbers = [isinstance(each, int | float) and not isinstance(each, bool) for each in (share, after)]
        if all(numbers) and 0 < share <= 1 and 1 <= after <= MOST_ITEMS and after == int(after):
            return StopWhen(float(share), int(after))
    raise _wrong("stop_when", 'This must be {"failed_share": above 0 up to 1, "after": a whole number of items}.')


def _wrong(field: str, sentence: str) -> InvalidRequestError:
    return InvalidRequestError("The batch is not valid.", [(field, sentence)])
