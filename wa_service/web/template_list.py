"""The templates of the business account, remembered for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from wa_service import log
from wa_service.web.problems import TEMPLATE_MISFIT, ProblemError
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.templates import check_against

FRESH_SECONDS: Final = 60.0
KNOWN_SECONDS: Final = 3600.0
PAUSE_SECONDS: Final = 10.0

Definitions = Sequence[Mapping[str, Any]]


class Templates:
    """`fetch` asks Meta for all definitions, or is None where no business account is configured."""

    def __init__(self, fetch: Callable[[], Definitions] | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._mutex = threading.Lock()
        self._found: Definitions = ()
        self._fetched = float("-inf")
        self._asked = float("-inf")

    def all(self) -> Definitions:
        """Every definition, at most a minute old.

        Raises:
            WhatsAppError: Meta refused or could not be asked.
        """
        return self._younger_than(FRESH_SECONDS)

    def check(self, templates: Mapping[str, Mapping[str, Any]]) -> None:
        """Compares templates (by the field that holds them) with their definitions, where these are known.

        Before one is refused Meta is asked again: its definition may have changed. While Meta cannot be asked
        nothing is refused.

        Raises:
            ProblemError: one does not fit its definition.
        """
        if not templates or self._fetch is None:
            return
        if not self._misfits(templates, self._known()):
            return
        try:
            found = self._misfits(templates, self._younger_than(PAUSE_SECONDS))
        except WhatsAppError:
            return
        if found:
            raise ProblemError(TEMPLATE_MISFIT, "Compare it with GET /v1/templates.", fields=found)

    def _known(self) -> Definitions:
        """What is remembered, however old within the hour; asks for it in the background where it is old."""
        age = self._clock() - self._fetched
        if age > FRESH_SECONDS and self._clock() - self._asked > PAUSE_SECONDS:
            self._asked = self._clock()
            threading.Thread(target=self._refresh, name="templates", daemon=True).start()
        return self._found if age <= KNOWN_SECONDS else ()

    def _refresh(self) -> None:
        try:
            self._younger_than(FRESH_SECONDS)
        except WhatsAppError as error:
            log.get_logger().info("whatsapp.templates", outcome="not_fetched", error=str(error))

    def _younger_than(self, seconds: float) -> Definitions:
        if self._fetch is None:
            return ()
        with self._mutex:  # one asks, the others have its answer
            if self._clock() - self._fetched > seconds:
                self._asked = self._clock()
                self._found = self._fetch()
                self._fetched = self._clock()
            return self._found

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
