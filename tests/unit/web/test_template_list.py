"""The cache of the account's templates, and the check of sends against it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from wa_service.service import template_cache
from wa_service.service.refusals import TemplateMismatchError
from wa_service.service.template_cache import FRESH_SECONDS, PAUSE_SECONDS, Definitions, TemplateCache
from wa_service.whatsapp.errors import WhatsAppConnectionError

FITS = {"template": {"name": "welcome", "language": {"code": "en_US"}}}
MISFIT = {
    "template": {
        "name": "welcome",
        "language": {"code": "en_US"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Ada"}]}],
    }
}
DEFINITION: dict[str, Any] = {"name": "welcome", "language": "en_US", "status": "APPROVED", "components": []}


CHECK_SECONDS = 0.5


@pytest.fixture(autouse=True)
def _a_short_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time for which the check of a send waits for Meta."""
    monkeypatch.setattr(template_cache, "CHECK_SECONDS", CHECK_SECONDS)


class Meta:
    """A fake of Meta that sets `asked`, waits for `speaks`, and returns its definitions, or fails if `away`."""

    def __init__(self) -> None:
        self.definitions: Definitions = [DEFINITION]
        self.away = False
        self.count = 0
        self.asked = threading.Event()
        self.speaks = threading.Event()
        self.speaks.set()

    def __call__(self) -> Definitions:
        self.count += 1
        self.asked.set()
        assert self.speaks.wait(30)
        if self.away:
            raise WhatsAppConnectionError("away")
        return self.definitions


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def meta() -> Meta:
    return Meta()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def templates(meta: Meta, clock: Clock) -> TemplateCache:
    """Return a cache that is filled."""
    known = TemplateCache(meta, clock=clock)
    known.all()
    meta.asked.clear()
    return known


def test_what_is_a_minute_old_is_asked_for_again(templates: TemplateCache, meta: Meta, clock: Clock) -> None:
    templates.all()
    clock.now += FRESH_SECONDS + 1
    templates.all()

    assert meta.count == 2


def test_a_misfit_is_refused_by_its_field(templates: TemplateCache, clock: Clock) -> None:
    with pytest.raises(TemplateMismatchError) as refused:
        templates.check(MISFIT)

    assert [field for field, _ in refused.value.fields] == ["template"]


def test_before_a_refusal_meta_is_asked_whether_the_definition_changed(
    templates: TemplateCache, meta: Meta, clock: Clock
) -> None:
    meta.definitions = [DEFINITION | {"components": [{"type": "BODY", "text": "Hello {{1}}"}]}]
    clock.now += PAUSE_SECONDS + 1

    templates.check(MISFIT)

    assert meta.count == 2


def test_many_misfits_ask_meta_once_in_ten_seconds(templates: TemplateCache, meta: Meta, clock: Clock) -> None:
    clock.now += PAUSE_SECONDS + 1
    for _ in range(5):
        with pytest.raises(TemplateMismatchError):
            templates.check(MISFIT)

    assert meta.count == 2


def test_while_meta_cannot_be_asked_nothing_is_refused(templates: TemplateCache, meta: Meta, clock: Clock) -> None:
    meta.away = True
    clock.now += PAUSE_SECONDS + 1

    templates.check(MISFIT)


def test_that_meta_could_not_be_asked_is_remembered_for_ten_seconds(
    templates: TemplateCache, meta: Meta, clock: Clock
) -> None:
    meta.away = True
    clock.now += FRESH_SECONDS + 1
    for _ in range(5):
        templates.check(MISFIT)
        with pytest.raises(WhatsAppConnectionError):
            templates.all()

    clock.now += PAUSE_SECONDS + 1
    templates.check(MISFIT)

    assert meta.count == 3


def test_who_asks_for_the_list_is_not_told_of_an_earlier_failure(meta: Meta, clock: Clock) -> None:
    templates = TemplateCache(meta, clock=clock)
    meta.away = True
    with pytest.raises(WhatsAppConnectionError):
        templates.all()
    meta.away = False
    clock.now += 0.1

    assert templates.all() == [DEFINITION]


def test_while_meta_hangs_a_send_waits_a_moment_and_many_at_once_no_longer(
    templates: TemplateCache, meta: Meta, clock: Clock
) -> None:
    meta.speaks.clear()
    clock.now += PAUSE_SECONDS + 1
    started = time.monotonic()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(templates.check, [MISFIT] * 8))

    assert time.monotonic() - started < 8 * CHECK_SECONDS
    assert meta.count == 2
    meta.speaks.set()


def test_a_list_that_came_after_its_question_was_given_up_is_known(
    templates: TemplateCache, meta: Meta, clock: Clock
) -> None:
    meta.speaks.clear()
    meta.definitions = []
    clock.now += PAUSE_SECONDS + 1
    templates.check(MISFIT)
    meta.speaks.set()

    assert templates.all() == []


def test_a_send_waits_a_moment_for_definitions_that_nobody_knows_yet(meta: Meta, clock: Clock) -> None:
    noted: list[Definitions] = []
    with pytest.raises(TemplateMismatchError):
        TemplateCache(meta, on_fetched=lambda found, _: noted.append(found), clock=clock).check(MISFIT)

    assert len(noted) == 1


def test_what_is_remembered_is_told_again_for_a_store_that_lost_it(meta: Meta, clock: Clock) -> None:
    noted: list[Definitions] = []
    templates = TemplateCache(meta, on_repeated=lambda found, _: noted.append(found), clock=clock)

    assert templates.all() == templates.all()

    assert (meta.count, len(noted)) == (1, 1)


def test_a_send_asks_in_the_background_where_what_is_known_is_old(
    templates: TemplateCache, meta: Meta, clock: Clock
) -> None:
    clock.now += FRESH_SECONDS + 1

    templates.check(FITS)

    assert meta.asked.wait(5)


def test_a_list_of_thousands_is_read_once_for_many_messages(meta: Meta, clock: Clock) -> None:
    reads = []

    class Listed(list[Any]):
        def __iter__(self) -> Any:
            reads.append(1)
            return super().__iter__()

    meta.definitions = Listed([DEFINITION])
    templates = TemplateCache(meta, clock=clock)
    for _ in range(10):
        templates.check(FITS)

    assert len(reads) == 1


def test_without_an_account_nothing_is_checked(clock: Clock) -> None:
    nothing = TemplateCache(None, clock=clock)

    nothing.check(MISFIT)

    assert nothing.all() == ()
