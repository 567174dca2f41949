"""Access to the console: sign-in, roles, tokens, origins, the session's end, headers."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from itsdangerous import TimestampSigner
from werkzeug.datastructures import Headers

from tests.unit.web.conftest import SETTINGS, Start, Web
from tests.unit.web.console import SAME_ORIGIN, ConsoleUser
from wa_service.web import limits
from wa_service.web.auth import caller_of

CHANGES = {"method": "POST"}


def test_a_key_signs_in_and_its_session_is_for_this_site_alone(web: Web) -> None:
    user = ConsoleUser(web)

    answer = user.sign_in("the-test-key-of-reader")

    cookie = answer.headers["Set-Cookie"]
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console")
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert "the-test-key" not in cookie


def test_behind_tls_the_cookie_stays_there(start_web: Start) -> None:
    web = start_web({"WA_TRUSTED_PROXIES": "127.0.0.0/8"})
    headers = SAME_ORIGIN | {"X-Forwarded-Proto": "https"}

    answer = web.client.post("/console/sign-in", data={"key": "the-test-key-of-boss"}, headers=headers)

    assert answer.headers["Set-Cookie"].startswith("__Host-wa_console=")
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_each_sign_in_is_a_session_of_its_own(web: Web) -> None:
    cookies = {ConsoleUser(web).client.get_cookie("wa_console").value for _ in range(3)}
    assert len(cookies) == 3


@pytest.mark.parametrize("path", ["", "/search", "/conversations/e1-1", "/messages/e1-1"])
def test_without_a_session_a_page_leads_to_the_sign_in(web: Web, path: str) -> None:
    answer = web.client.get(f"/console{path}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/sign-in")


@pytest.mark.parametrize("spoiled", ["", "x", "a.b.c", "A" * 2_000, "eyJrIjoiYm9zcyIsInMiOiJ4In0.aGk.x"])
def test_a_cookie_that_nobody_signed_is_none(web: Web, spoiled: str) -> None:
    client = web.app.test_client()
    client.set_cookie("wa_console", spoiled)
    assert client.get("/console/search").status_code == 303


def test_another_key_s_name_on_a_session_is_worth_nothing(web: Web, start_web: Start) -> None:
    value = ConsoleUser(web, "reader").client.get_cookie("wa_console").value
    payload, *signed = value.split(".")
    other = ConsoleUser(web, "boss").client.get_cookie("wa_console").value.split(".")[0]
    client = web.app.test_client()
    client.set_cookie("wa_console", ".".join([other, *signed]))
    assert payload != other
    assert client.get("/console/search").status_code == 303


def test_a_rotated_key_ends_its_sessions_everywhere(web: Web, start_web: Start) -> None:
    value = ConsoleUser(web).client.get_cookie("wa_console").value
    changed = SETTINGS["WA_API_KEYS"].replace("the-test-key-of-boss", "another-test-key-of-boss")
    client = start_web({"WA_API_KEYS": changed}).app.test_client()
    client.set_cookie("wa_console", value)
    assert client.get("/console/search").status_code == 303


def test_after_eight_hours_a_session_is_over(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    user = ConsoleUser(web)
    later = int(time.time()) + 8 * 3_600 + 5
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: later)
    assert user.get("/search").status_code == 303


def test_whoever_signs_out_leaves_a_cookie_that_is_worth_nothing(web: Web) -> None:
    user = ConsoleUser(web)
    copied = user.client.get_cookie("wa_console").value
    assert user.post("/sign-out").headers["Location"] == "/console/sign-in"
    user.client.set_cookie("wa_console", copied)
    assert user.get("/search").status_code == 303


def test_guesses_are_slowed_and_told_without_what_was_typed(web: Web, lines: list[dict[str, Any]]) -> None:
    answers = [ConsoleUser(web).sign_in("a-guess-of-a-key").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    assert "a-guess" not in str(lines)
    assert [line["event"] for line in lines].count("whatsapp.console.sign_in_refused") == 10


def test_one_session_is_slowed_and_no_other(start_web: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SESSION_RATE", "30/minute")
    web = start_web()
    user, other = ConsoleUser(web), ConsoleUser(web)
    answers = [user.get("/dead-letters") for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert "Too many requests in this session." in answers[-1].text
    assert user.client.get("/console/static/console.css").status_code == 200
    assert other.get("/dead-letters").status_code == 200
    assert web.get("/v1/dead-letters").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
def test_a_change_from_elsewhere_is_refused_even_the_sign_in(web: Web, headers: dict[str, str]) -> None:
    user = ConsoleUser(web)
    assert user.post("/sign-out", headers=headers).status_code == 403
    signed = web.app.test_client().post("/console/sign-in", data={"key": "the-test-key-of-boss"}, headers=headers)
    assert (signed.status_code, signed.headers.get("Set-Cookie")) == (403, None)
    assert user.get("/search").status_code == 200


def test_an_old_browser_names_its_origin(web: Web) -> None:
    assert ConsoleUser(web).post("/sign-out", headers={"Origin": "http://localhost"}).status_code == 303


def test_a_change_without_the_session_s_token_is_refused(web: Web) -> None:
    user, other = ConsoleUser(web), ConsoleUser(web)
    answers = [user.post("/sign-out", csrf=token).status_code for token in ("", "x", "é", other.token)]
    assert answers == [403] * 4
    assert user.get("/search").status_code == 200


def every_change(web: Web) -> list[tuple[str, str]]:
    found = []
    for rule in web.app.url_map.iter_rules():
        caller = caller_of(web.app.view_functions[rule.endpoint]) or ""
        if "POST" in (rule.methods or ()) and caller.startswith("session: "):
            found.append((re.sub(r"<[^>]+>", "e1-1", rule.rule), caller.removeprefix("session: ")))
    return found


def test_every_change_asks_for_the_token_first_and_for_the_role_then(web: Web) -> None:
    users = {key: ConsoleUser(web, key) for key in ("reader", "boss")}
    changes = every_change(web)
    assert len(changes) > 5
    for path, role in changes:
        rule = path.removeprefix("/console")
        assert users["boss"].post(rule, csrf="x").status_code == 403
        if role not in {"any", "read"}:
            refused = users["reader"].post(rule)
            assert (refused.status_code, f"`{role}`" in refused.text) == (403, True)


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/search", "/console/static/console.js"])
def test_every_answer_keeps_others_out(web: Web, path: str) -> None:
    headers: Headers = ConsoleUser(web).client.get(path).headers
    policy = headers["Content-Security-Policy"]
    for part in (
        "default-src 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "base-uri 'none'",
    ):
        assert part in policy
    assert "unsafe" not in policy
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    if "static" not in path:
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("env", [{"WA_CONSOLE": "false"}, {"WA_API_KEYS": ""}])
def test_there_is_no_console_where_it_is_not_wanted_or_nobody_can_sign_in(
    start_web: Start, env: dict[str, str]
) -> None:
    assert start_web(env).client.get("/console/sign-in").status_code == 404


def test_with_the_store_away_a_page_says_so(start_web: Start, web: Web) -> None:
    value = ConsoleUser(web).client.get_cookie("wa_console").value
    client = start_web({"REDIS_URL": "redis://127.0.0.1:1/0"}).app.test_client()
    client.set_cookie("wa_console", value)
    answer = client.get("/console/search")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "The store is unavailable" in answer.text


def test_a_file_that_is_none_of_the_console_s_is_not_found(web: Web) -> None:
    assert web.client.get("/console/static/..%2fguard.py").status_code == 404
    assert web.client.get("/console/static/guard.py").status_code == 404
