"""A trial of a sentence on the script goes to a worker, which compares it as it would a customer's message."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
import orjson
import pytest
import redis

from tests.integration.lanes import Lanes
from tests.keys import NAMES
from wa_service.conversation.script_check import ScriptCheck
from wa_service.service.script_trial import ScriptTrial
from wa_service.store.script_trials import ScriptTrials
from wa_service.worker.script_trials_worker import ScriptTrialsWorker

SCRIPT = """\
intents:
  - {name: breakfast, examples: ["what time is breakfast"], reply: [{text: "From 7."}]}
  - {name: parking, examples: ["what time may I park"], reply: [{text: "Always."}]}
fallback: {reply: [{text: "Pardon?"}]}
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    return path


def by_meaning(text: str) -> dict[str, Any]:
    """The answer of a worker whose models are loaded."""
    match = {"intent": "parking", "score": 0.81, "alternatives": ()}
    near = [("parking", 0.81), ("breakfast", 0.31)]
    return {"match": match, "near": near, "threshold": 0.5, "compared": "semantic", "replies": ()}


def test_a_worker_s_answer_is_told_with_every_near_intent(lanes: Lanes, script: Path) -> None:
    lanes.inbox.heartbeat("w")
    worker = ScriptTrials(lanes.store)

    def look(_: float) -> None:
        worker.answer_next(by_meaning)

    trials = ScriptTrials(lanes.store, pause=look)
    trial = ScriptTrial(script, "semantic", trials).attempt("where do I leave my car")
    assert (trial.intent, trial.compared, trial.by_worker) == ("parking", "semantic", True)
    assert trial.near == [("parking", 0.81), ("breakfast", 0.31)]


def test_where_nobody_works_the_letters_decide_at_once(lanes: Lanes, script: Path) -> None:
    def paused(_: float) -> None:
        raise AssertionError("there is nobody to wait for")

    trial = ScriptTrial(script, "semantic", ScriptTrials(lanes.store, pause=paused)).attempt("what time is breakfast")
    assert (trial.intent, trial.compared, trial.by_worker) == ("breakfast", "fuzzy", False)
    assert [intent for intent, _ in trial.near] == ["breakfast", "parking"]
    assert [reply.text for reply in trial.replies] == ["From 7."]
    assert trial.near[1][1] < trial.near[0][1] <= 1.0


def test_others_have_their_turns_while_the_script_is_read(lanes: Lanes, script: Path) -> None:
    turns = 0

    def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0.001)

    other = gevent.spawn(take_turns)
    trial = ScriptTrial(script, "fuzzy", ScriptTrials(lanes.store))
    assert trial.report()["examples"] == 2
    other.kill()
    assert turns > 0


def test_a_sentence_that_no_worker_took_in_time_waits_for_none(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.inbox.heartbeat("w")
    assert ScriptTrials(lanes.store).ask("hello", 0.0) is None
    assert redis_client.exists(NAMES.of("script_trials")) == 0


def test_what_is_asked_and_answered_ends_after_a_minute(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.inbox.heartbeat("w")
    lives: list[int] = []

    def look(_: float) -> None:
        lives.append(redis_client.ttl(NAMES.of("script_trials")))
        trials.answer_next(by_meaning)

    trials = ScriptTrials(lanes.store, pause=look)
    assert trials.ask("hello", 5.0) is not None
    lives += [redis_client.ttl(key) for key in redis_client.keys(NAMES.of("script_trial", "*"))]
    assert len(lives) == 2
    assert all(0 < life <= 60 for life in lives)


def test_a_sentence_that_cannot_be_tried_ends_no_worker(lanes: Lanes, script: Path) -> None:
    """The script fails on the first of two sentences, and the second is answered."""
    check, seen = ScriptCheck(script), []

    def answer(text: str) -> dict[str, Any]:
        seen.append(text)
        if len(seen) == 1:
            raise ValueError(text)
        worker.stop()
        return asdict(check.try_sentence(text))

    waiting = NAMES.of("script_trials")
    for i, text in enumerate(("bad", "what time is breakfast")):
        lanes.store.do("RPUSH", waiting, orjson.dumps({"id": f"t{i}", "text": text}))
    worker = ScriptTrialsWorker(ScriptTrials(lanes.store), answer)
    worker.consume()
    assert seen == ["bad", "what time is breakfast"]
    told = orjson.loads(lanes.store.do("GET", NAMES.of("script_trial", "t1")))
    assert told["match"]["intent"] == "breakfast"
