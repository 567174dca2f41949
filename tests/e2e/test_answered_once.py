"""Nothing that Meta delivers is lost, answered twice or out of order, whatever dies meanwhile."""

from __future__ import annotations

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import customer
from tests.e2e.stack import Stack
from tests.eventually import eventually


def test_a_worker_killed_between_webhook_and_answer_answers_once(stack: Stack) -> None:
    ana = customer(1)
    with stack.frozen("worker-1"), stack.frozen("worker-2"):
        stack.meta.write(ana, f"{SPOKEN} 1")
        eventually(lambda: stack.redis.exists("wa:seen:x") or stack.waiting() >= 1)
    stack.kill_child("worker-1")
    stack.kill_child("worker-2")
    eventually(lambda: stack.meta.heard(ana), within=20)
    eventually(lambda: stack.waiting() == 0, within=20)
    assert stack.meta.heard(ana) == [f"{SPOKEN} 1!"]
