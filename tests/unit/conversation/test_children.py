"""Children die, hang, eat and lie; the worker goes on."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from wa_service.resilience.breaker import Unavailable
from wa_service.speech.children import (
    ChildDiedError,
    ChildError,
    ChildPlan,
    Children,
    ChildTooSlowError,
    ChildUnusableError,
)

HERE = Path(__file__).parent
COMMAND = (sys.executable, str(HERE / "toy_child.py"))
MEGABYTE = 1024 * 1024

Make = Callable[..., Children]


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait for a condition, for a bounded time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        threading.Event().wait(0.02)
    raise AssertionError("it did not come to that")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Children] = []

    def make(setup: dict[str, Any] | None = None, **others: Any) -> Children:
        plan_values = {
            key: others.pop(key) for key in ("memory_bytes", "niceness", "setup_seconds", "command") if key in others
        }
        plan = ChildPlan(task="toy", setup=setup or {}, **{"command": COMMAND, **plan_values})
        children = Children(plan, **others)
        made.append(children)
        return children

    yield make
    for children in made:
        children.stop()


def test_a_child_answers_what_it_is_asked(make: Make) -> None:
    answer = make({"known": "a setup"}).ask({"do": "echo"}, b"12345", seconds=10)

    assert (answer["size"], answer["known"]) == (5, "a setup")


def test_the_largest_recording_fits_through_the_pipe(make: Make) -> None:
    assert make().ask({"do": "echo"}, bytes(16 * MEGABYTE), seconds=20)["size"] == 16 * MEGABYTE


def test_the_same_child_is_asked_again(make: Make) -> None:
    children = make()

    pids = {children.ask({"do": "echo"}, seconds=10)["pid"] for _ in range(3)}

    assert len(pids) == 1


def test_a_child_that_hangs_is_ended_at_its_deadline(make: Make) -> None:
    children = make()
    children.ask({"do": "echo"}, seconds=10)
    (pid,) = children.pids
    began = time.monotonic()

    with pytest.raises(ChildTooSlowError):
        children.ask({"do": "hang"}, seconds=0.3)

    assert time.monotonic() - began < 3
    assert is_gone(pid)


def test_after_a_hanging_child_comes_a_fresh_one(make: Make) -> None:
    children = make()
    with pytest.raises(ChildTooSlowError):
        children.ask({"do": "hang"}, seconds=0.3)

    assert children.ask({"do": "echo"}, seconds=10)["size"] == 0


def test_a_child_killed_in_the_middle_is_replaced_and_the_work_done_after_all(make: Make, tmp_path: Path) -> None:
    assert make().ask({"do": "die once", "mark": str(tmp_path / "mark")}, seconds=10) == {"done": True}


def test_work_that_kills_every_child_is_given_up(make: Make) -> None:
    with pytest.raises(ChildDiedError):
        make().ask({"do": "die"}, seconds=10)


def test_a_child_killed_between_two_questions_is_replaced(make: Make) -> None:
    children = make()
    children.ask({"do": "echo"}, seconds=10)
    (pid,) = children.pids
    os.kill(pid, 9)

    assert children.ask({"do": "echo"}, seconds=10)["pid"] != pid


def test_a_child_cannot_eat_more_than_its_share(make: Make) -> None:
    children = make(memory_bytes=512 * MEGABYTE)

    assert children.ask({"do": "eat"}, seconds=10) == {"error": "unreadable", "reason": "MemoryError"}


def test_a_failing_piece_of_work_does_not_end_the_child_and_tells_no_secret(make: Make) -> None:
    children = make()

    assert children.ask({"do": "fail"}, seconds=10) == {"error": "failed", "reason": "ValueError"}
    assert len(children.pids) == 1


def test_what_a_library_prints_is_not_taken_for_an_answer(make: Make) -> None:
    assert make().ask({"do": "print"}, seconds=10) == {"done": True}


def test_a_child_that_has_learnt_opens_no_file_any_more(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("a secret")

    answer = make().ask({"do": "open", "path": str(path)}, seconds=10)

    assert answer == {"error": "failed", "reason": "OSError"}


def test_a_child_is_told_nothing_of_our_environment(make: Make) -> None:
    told = make().ask({"do": "environment"}, seconds=10)

    # LC_CTYPE is Python's own doing.
    assert told.keys() <= {"PATH", "LANG", "OMP_NUM_THREADS", "HF_HUB_OFFLINE", "LC_CTYPE"}


def test_a_child_is_as_nice_as_planned(make: Make) -> None:
    assert make(niceness=7).ask({"do": "niceness"}, seconds=10)["niceness"] >= 7


def test_a_child_that_cannot_be_set_up_says_why(make: Make) -> None:
    with pytest.raises(ChildUnusableError, match="the weights are wrong"):
        make({"refuse": "the weights are wrong"}).ask({"do": "echo"}, seconds=10)


def test_a_child_that_cannot_be_set_up_is_not_started_for_every_question(make: Make) -> None:
    children = make({"refuse": "no"})

    with capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(ChildUnusableError):
                children.ask({"do": "echo"}, seconds=10)

    assert [line["event"] for line in lines] == ["whatsapp.conversation.child_unusable"]


def test_a_child_that_never_gets_ready_is_unusable(make: Make) -> None:
    with pytest.raises(ChildUnusableError, match="not ready in 0 s"):
        make({"slow": True}, setup_seconds=0.3).ask({"do": "echo"}, seconds=10)


def test_a_program_that_is_no_child_is_given_up(make: Make) -> None:
    with pytest.raises(ChildDiedError):
        make(command=(sys.executable, "-c", "print('hello')")).ask({"do": "echo"}, seconds=10)


def test_two_children_work_side_by_side(make: Make) -> None:
    children = make(processes=2)
    pids: set[int] = set()
    both_busy = threading.Barrier(2, timeout=20)

    def work() -> None:
        child = children._free.get()
        try:
            both_busy.wait()
            pids.add(child.ask({"do": "echo"}, b"", 10)["pid"])
        finally:
            children._free.put(child)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(pids) == 2


def test_who_waits_too_long_for_a_free_child_is_told_to_come_back(make: Make) -> None:
    children = make(wait_seconds=0.1)
    children._free.get()

    with pytest.raises(Unavailable):
        children.ask({"do": "echo"}, seconds=10)


def test_stop_is_quick_and_leaves_no_process_even_in_the_middle_of_work(make: Make) -> None:
    children = make()
    children.ask({"do": "echo"}, seconds=10)
    (pid,) = children.pids
    failed: list[Exception] = []

    def hang() -> None:
        try:
            children.ask({"do": "hang"}, seconds=30)
        except ChildError as error:
            failed.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    until(lambda: children._free.empty())
    began = time.monotonic()
    children.stop()
    took = time.monotonic() - began
    thread.join(10)

    assert (took < 3, is_gone(pid), len(failed), children.pids) == (True, True, 1, [])


def test_start_makes_the_children_ready_without_waiting_for_them(make: Make) -> None:
    children = make(processes=2)
    began = time.monotonic()

    children.start()

    assert time.monotonic() - began < 0.5
    assert until(lambda: len(children.pids) == 2)


ORPHAN = """
    import sys
    sys.path[:0] = [{root!r}]
    from wa_service.speech.children import ChildPlan, Children
    children = Children(ChildPlan(task="toy", setup={{}}, command={command!r}))
    children.ask({{"do": "echo"}}, seconds=10)
    print(children.pids[0], flush=True)
    children.ask({{"do": "hang"}}, seconds=60)
"""


def test_a_child_ends_in_the_middle_of_its_work_when_its_worker_is_killed() -> None:
    program = textwrap.dedent(ORPHAN).format(root=str(HERE.parents[2]), command=COMMAND)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        worker.kill()

    assert until(lambda: is_gone(pid))


GREEN = """
    from gevent import monkey; monkey.patch_all()
    import sys, time
    sys.path[:0] = [{root!r}]
    import gevent
    from wa_service.speech.children import ChildPlan, Children, ChildTooSlowError
    children = Children(ChildPlan(task="toy", setup={{}}, command={command!r}))
    children.ask({{"do": "echo"}}, seconds=10)
    lags = []
    def tick():
        while True:
            began = time.monotonic()
            gevent.sleep(0.005)
            lags.append(time.monotonic() - began - 0.005)
    ticker = gevent.spawn(tick)
    try:
        children.ask({{"do": "hang"}}, seconds=0.5)
    except ChildTooSlowError:
        print("slow")
    print(children.ask({{"do": "echo"}}, bytes(16 * 1024 * 1024), seconds=20)["size"])
    try:
        with gevent.Timeout(0.3):
            children.ask({{"do": "hang"}}, seconds=30)
    except gevent.Timeout:
        print("cut off")
    print(children.ask({{"do": "echo"}}, b"1", seconds=10)["size"])
    children.stop()
    print(len(lags) > 50, sorted(lags)[len(lags) // 2] < 0.05, children.pids)
"""


def test_under_gevent_other_greenlets_go_on_and_a_cut_off_question_leaves_no_answer_behind() -> None:
    program = textwrap.dedent(GREEN).format(root=str(HERE.parents[2]), command=COMMAND)

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.split("\n")[:-1] == ["slow", str(16 * MEGABYTE), "cut off", "1", "True True []"], done.stderr


FORBIDDEN = ("gevent", "flask", "redis", "requests", "prometheus_client", "pydantic")


def test_the_child_imports_no_web_no_store_and_no_hub() -> None:
    program = "import sys, wa_service.speech.child_process; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=HERE.parents[2]
    )

    assert not set(FORBIDDEN) & set(done.stdout.split())
