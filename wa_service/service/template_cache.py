"""The templates of the business account, remembered for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from wa_service.observability import log
from wa_service.web.problems import TEMPLATE_MISFIT, ProblemError
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.outbound.templates import check_against

FRESH_SECONDS: Final = 60.0
KNOWN_SECONDS: Final = 3600.0
PAUSE_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 1.0

Definitions = Sequence[Mapping[str, Any]]


class Templates:
    """`fetch` asks Meta for all definitions, or is None where no business account is configured.

    Meta is asked in a thread of its own, once for everybody who wants to know; for the checks of sends it is
    remembered, too, that it could not be asked.
    """

    def __init__(self, fetch: Callable[[], Definitions] | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._mutex = threading.Lock()
        self._found: Definitions = ()
        self._fetched = float("-inf")
        self._asked = float("-inf")
        self._answer: Future[Definitions] = Future()
        self._answer.set_result(())

    def all(self) -> Definitions:
        """Every definition, at most a minute old. Who asks for them is not told of an earlier failure.

        Raises:
            WhatsAppError: Meta refused or could not be asked.
        """
        return self._younger_than(FRESH_SECONDS, failure=0.0).result()

    def check(self, templates: Mapping[str, Mapping[str, Any]]) -> None:
        """Compares templates (by the field that holds them) with their definitions, where these are known.

        Before one is refused Meta is asked again: its definition may have changed. While Meta cannot be asked, or does
        not answer within a moment, nothing is refused: the template is sent, and Meta decides.

        Raises:
            ProblemError: one does not fit its definition.
        """
        if not templates or self._fetch is None:
            return
        if not self._misfits(templates, self._known()):
            return
        try:
            found = self._misfits(templates, self._younger_than(PAUSE_SECONDS).result(CHECK_SECONDS))
        except (WhatsAppError, TimeoutError):
            return
        if found:
            raise ProblemError(TEMPLATE_MISFIT, "Compare it with GET /v1/templates.", fields=found)

    def _known(self) -> Definitions:
        """What is remembered, however old within the hour; where it is old Meta is asked, and nobody waits."""
        known = self._found if self._clock() - self._fetched <= KNOWN_SECONDS else ()
        self._younger_than(FRESH_SECONDS)
        return known

    def _younger_than(self, seconds: float, *, failure: float = PAUSE_SECONDS) -> Future[Definitions]:
        """Meta's last answer where it is young enough (or the `failure` that came in its place), else the next one."""
        with self._mutex:
            if self._fetch is not None and self._answer.done():
                most = failure if self._answer.exception() else seconds
                if self._clock() - self._asked > most:
                    self._asked, self._answer = self._clock(), Future()
                    threading.Thread(
                        target=self._ask, args=(self._fetch, self._answer), name="templates", daemon=True
                    ).start()
            return self._answer

    def _ask(self, fetch: Callable[[], Definitions], answer: Future[Definitions]) -> None:
        try:
            found = fetch()
        except Exception as problem:
            answer.set_exception(problem)
            if not isinstance(problem, WhatsAppError):
                raise
            log.get_logger().info("whatsapp.templates.fetch_failed", error=str(problem))
        else:
            self._found, self._fetched = found, self._clock()
            answer.set_result(found)

    @staticmethod
    def _misfits(templates: Mapping[str, Mapping[str, Any]], definitions: Definitions) -> list[tuple[str, str]]:
        by_name = {(item.get("name"), _plain(item.get("language"))): item for item in definitions}
        found = []
        for field, template in templates.items():
            language = template.get("language")
            code = language.get("code") if isinstance(language, Mapping) else language
            definition = by_name.get((template.get("name"), _plain(code)))
            if definition is not None:
                found += [(field, sentence) for sentence in check_against(template, definition)]
        return found


def _plain(language: Any) -> str:
    return str(language).replace("-", "_")
