"""Cache the business account's templates, and compare messages with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from wa_service.observability import log
from wa_service.service.refusals import TemplateMismatchError
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.outbound.templates import check_against

FRESH_SECONDS: Final = 60.0
KNOWN_SECONDS: Final = 3600.0
PAUSE_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 1.0

Definitions = Sequence[Mapping[str, Any]]
OnDefinitions = Callable[[Definitions, int], None]
_ByName = dict[Any, dict[str, Mapping[str, Any]]]


class TemplateCache:
    """A cache of template definitions.

    `fetch` gets all definitions from Meta, or is None where no business account is configured; `on_fetched` is called
    with them, and the Unix time at which Meta was asked, before any caller gets them; `on_repeated` likewise with
    cached ones. A fetch runs in its own thread, once for all concurrent callers. For the checks of sends, failures are
    cached as well.
    """

    def __init__(
        self,
        fetch: Callable[[], Definitions] | None,
        *,
        on_fetched: OnDefinitions = lambda *_: None,
        on_repeated: OnDefinitions = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._on_fetched = on_fetched
        self._on_repeated = on_repeated
        self._clock = clock
        self._mutex = threading.Lock()
        self._definitions: Definitions = ()
        self._listed_at = 0
        self._index: tuple[Definitions, _ByName] = ((), {})
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._answer: Future[Definitions] = Future()
        self._answer.set_result(())

    @property
    def is_configured(self) -> bool:
        return self._fetch is not None

    def all(self) -> Definitions:
        """Return every definition, at most a minute old; after a failure, fetch again.

        Cached definitions are told again, because the store may have lost their categories in a failover.

        Raises:
            WhatsAppError: the call to Meta failed.
        """
        before = self._answer
        answer = self._younger_than(FRESH_SECONDS, failure=0.0)
        definitions = answer.result()
        if answer is before:
            self._on_repeated(definitions, self._listed_at)
        return definitions

    def check(self, templates: Mapping[str, Mapping[str, Any]]) -> None:
        """Compare templates (by field of the request) with their definitions, where these are known.

        Before a template is refused, its definition is fetched again, because it may have changed. If Meta does not
        answer soon, nothing is refused: the template is sent, and Meta decides.

        Raises:
            TemplateMismatchError: one does not match its definition.
        """
        if not templates or self._fetch is None:
            return
        cached = self._cached()
        if self._knows(templates, cached) and not self._mismatches(templates, cached):
            return
        try:
            found = self._mismatches(templates, self._younger_than(PAUSE_SECONDS).result(CHECK_SECONDS))
        except (WhatsAppError, TimeoutError):
            return
        if found:
            raise TemplateMismatchError("Compare it with GET /v1/templates.", found)

    def _cached(self) -> Definitions:
        """Return cached definitions, up to an hour old; refresh old ones in the background."""
        known = self._definitions if self._clock() - self._fetched_at <= KNOWN_SECONDS else ()
        self._younger_than(FRESH_SECONDS)
        return known

    def _younger_than(self, seconds: float, *, failure: float = PAUSE_SECONDS) -> Future[Definitions]:
        """Return Meta's last answer if it is younger than `seconds` (an error: than `failure`), else the next one."""
        with self._mutex:
            if self._fetch is not None and self._answer.done():
                most = failure if self._answer.exception() else seconds
                if self._clock() - self._asked_at > most:
                    self._asked_at, self._answer = self._clock(), Future()
                    threading.Thread(
                        target=self._ask, args=(self._fetch, self._answer), name="templates", daemon=True
                    ).start()
            return self._answer

    def _ask(self, fetch: Callable[[], Definitions], answer: Future[Definitions]) -> None:
        listed_at = int(time.time())
        try:
            found = fetch()
            self._on_fetched(found, listed_at)
        except Exception as problem:
            answer.set_exception(problem)
            if not isinstance(problem, WhatsAppError):
                raise
            log.get_logger().info("whatsapp.templates.fetch_failed", error=str(problem))
        else:
            self._definitions, self._fetched_at, self._listed_at = found, self._clock(), listed_at
            answer.set_result(found)

    def _by_name(self, definitions: Definitions) -> _ByName:
        """Return definitions by name and language; an account may have thousands, and a batch as many messages."""
        indexed, by_name = self._index
        if indexed is not definitions:
            by_name = {}
            for item in definitions:
                by_name.setdefault(item.get("name"), {})[_plain(item.get("language"))] = item
            self._index = definitions, by_name
        return by_name

    def _knows(self, templates: Mapping[str, Mapping[str, Any]], definitions: Definitions) -> bool:
        """Whether each template has a definition; without one, its category is unknown."""
        by_name = self._by_name(definitions)
        return all(template.get("name") in by_name for template in templates.values())

    def _mismatches(
        self, templates: Mapping[str, Mapping[str, Any]], definitions: Definitions
    ) -> list[tuple[str, str]]:
        by_name = self._by_name(definitions)
        found = []
        for field, template in templates.items():
            language = template.get("language")
            code = language.get("code") if isinstance(language, Mapping) else language
            definition = by_name.get(template.get("name"), {}).get(_plain(code))
            if definition is not None:
                found += [(field, sentence) for sentence in check_against(template, definition)]
        return found


def _plain(language: Any) -> str:
    return str(language).replace("-", "_")
