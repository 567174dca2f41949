"""`WA_INTENTS=semantic`: texts compared by meaning, with a sentence encoder in a child process.

The encoder knows sixteen languages, so a question in Spanish finds an English example.
"""

from collections.abc import Sequence

from wa_service.conversation.intents import Example, FuzzyMatcher, Scores
from wa_service.observability import log
from wa_service.resilience.breaker import Unavailable
from wa_service.speech.children import ChildError, ChildPlan, Children

SEMANTIC_THRESHOLD = 0.5
_MAX_CHARACTERS = 400


class SemanticMatcher:
    """Asks a child of its own, so that no text waits behind a voice note; letters decide where it has no answer."""

    def __init__(
        self,
        examples: Sequence[Example],
        threshold: float | None = None,
        *,
        seconds: float = 5.0,
    ) -> None:
        self._threshold = SEMANTIC_THRESHOLD if threshold is None else threshold
        self._seconds = seconds
        # Thresholds of the two do not compare: the fuzzy one keeps its own.
        self._fuzzy = FuzzyMatcher(examples)
        self._count = len(examples)
        setup = {"examples": [_plain(example.text) for example in examples], "threads": 1}
        plan = ChildPlan(task="compare", setup=setup, setup_seconds=20.0)
        self._children = Children(plan, wait_seconds=seconds)

    @property
    def pids(self) -> list[int]:
        """The child's process id."""
        return self._children.pids

    def start(self) -> None:
        """Start the child; the encoder loads in the background."""
        if self._count:
            self._children.start()

    def stop(self) -> None:
        """End the child."""
        self._children.stop()

    def scores(self, text: str) -> Scores:
        """How near the text is to each example, by meaning."""
        if not self._count:
            return Scores((), self._threshold)
        try:
            answer = self._children.ask({"text": _plain(text)}, seconds=self._seconds)
        except (ChildError, Unavailable) as error:
            log.get_logger().warning("whatsapp.conversation.semantic_failed", reason=type(error).__name__)
            return self._fuzzy.scores(text)
        values = answer.get("scores")
        if not isinstance(values, list) or len(values) != self._count:
            log.get_logger().warning(
                "whatsapp.conversation.semantic_failed", reason=str(answer.get("reason", "no scores"))
            )
            return self._fuzzy.scores(text)
        return Scores(values, self._threshold)


def _plain(text: str) -> str:
    """Speech comes with a full stop and a typed example without: that is no difference in meaning."""
    return text[:_MAX_CHARACTERS].strip(" .?!…¿¡")
