"""`python -m wa_service script check FILE`: check a script and its examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wa_service.conversation.assembly import Intents, make_matcher
from wa_service.conversation.intents import IntentMatch
from wa_service.conversation.pipeline import examples_of
from wa_service.conversation.responder import ScriptResponder
from wa_service.conversation.script import Script, load_script
from wa_service.conversation.semantic import SemanticMatcher
from wa_service.conversation.sentence_trial import SentenceTrial, try_sentence

_COMPARED = {"semantic": "by meaning and letters (semantic)", "fuzzy": "by letters (fuzzy)"}


@dataclass(frozen=True, slots=True)
class Confusion:
    """An example that does not match its own intent by the other examples. `taken_for`: None for the fallback."""

    example: str
    intent: str
    taken_for: str | None
    score: float


@dataclass(frozen=True, slots=True)
class ScriptReport:
    """The result of `script check` for a usable script."""

    path: Path
    compared: str
    """How: by meaning and letters (semantic), or by letters (fuzzy)."""
    intents: int
    examples: int
    confusions: tuple[Confusion, ...]
    single: tuple[str, ...]
    """Intents with a single example, which cannot be checked."""

    def lines(self) -> Iterator[str]:
        """Return the report for a terminal."""
        yield f"{self.path}: {self.intents} intents, {self.examples} examples. The script can be used."
        yield f"Compared {self.compared}, as the service does with WA_INTENTS={self.compared.split('(')[1][:-1]}."
        mistaken = [confusion for confusion in self.confusions if confusion.taken_for is not None]
        unknown = [confusion for confusion in self.confusions if confusion.taken_for is None]
        if mistaken:
            yield "Examples that match another intent by the other examples (make the two more distinct):"
            yield from (f"  {c.intent} → {c.taken_for}  ({c.score:.2f})  {c.example}" for c in mistaken)
        if unknown:
            yield f"{len(unknown)} examples are far from their intent's others (more like them would help):"
            farthest = sorted(unknown, key=lambda confusion: confusion.score)
            yield from (f"  {c.intent}  ({c.score:.2f})  {c.example}" for c in farthest)
        if self.single:
            yield f"Intents with a single example: {', '.join(self.single)}"


class ScriptCheck:
    """A script to try. Use as a context manager: `semantic` starts a child process.

    Raises ScriptError for a file that cannot be used.
    """

    def __init__(self, path: Path, intents: Intents = "fuzzy") -> None:
        self._path = path
        self._compared = _COMPARED[intents]
        self._script: Script = load_script(path)
        self._examples = examples_of(self._script)
        self._matcher = make_matcher(self._script, intents)
        self._scripted = ScriptResponder(self._script)

    def __enter__(self) -> ScriptCheck:
        if isinstance(self._matcher, SemanticMatcher):
            self._matcher.start()
            self._matcher.fetch_examples()
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self._matcher, SemanticMatcher):
            self._matcher.stop()

    def report(self) -> ScriptReport:
        """Match each example against all others."""
        counts: dict[str, int] = {}
        for example in self._examples:
            counts[example.intent] = counts.get(example.intent, 0) + 1
        confusions = []
        for index, example in enumerate(self._examples):
            match = self._matcher.scores(example.text).nearest(self._examples, without=index)
            if match.intent != example.intent and (counts[example.intent] > 1 or match.intent is not None):
                confusions.append(Confusion(example.text, example.intent, match.intent, match.score))
        return ScriptReport(
            path=self._path,
            compared=self._compared,
            intents=len(self._script.intents),
            examples=len(self._examples),
            confusions=tuple(confusions),
            single=tuple(name for name, count in counts.items() if count == 1),
        )

    def answer(self, line: str) -> tuple[IntentMatch, tuple[dict[str, Any], ...]]:
        """Return the match and the replies for a line of text."""
        trial = self.try_sentence(line)
        return trial.match, trial.replies

    def try_sentence(self, text: str) -> SentenceTrial:
        """Return the match, the nearest intents and the replies for a text."""
        return try_sentence(text, self._matcher, self._examples, self._scripted)

    def as_json(self, lines: Sequence[str] = ()) -> dict[str, Any]:
        """Return the report, and match and replies of each line, as JSON objects."""
        answers = []
        for line in lines:
            match, replies = self.answer(line)
            answers.append({"text": line, **asdict(match), "replies": list(replies)})
        return {**asdict(self.report()), "path": str(self._path), "answers": answers}

    def answer_line(self, line: str) -> str:
        """Return the answer to a line for a terminal: intent, score and the replies' text."""
        match, replies = self.answer(line)
        lines = "\n".join(f"  {_shown(reply)}" for reply in replies)
        return f"[{match.intent or 'fallback'} {match.score:.2f}]\n{lines}"


def check_script(path: Path, intents: Intents = "fuzzy") -> ScriptReport:
    """Read the file and check its examples. Raises ScriptError with line and reason."""
    with ScriptCheck(path, intents) as check:
        return check.report()


def _shown(reply: dict[str, Any]) -> str:
    kind = reply.get("type")
    if kind == "text":
        return str(reply["text"]["body"]).replace("\n", "\n  ")
    content = reply.get(str(kind)) or {}
    body = content.get("body", {}).get("text", "") if isinstance(content, dict) else ""
    inner = content.get("type", "") if isinstance(content, dict) else ""
    return f"<{kind}{' ' + inner if inner else ''}> {body}".rstrip()
