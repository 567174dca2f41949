"""Access to the API: keys, roles, rate limits."""

from __future__ import annotations

import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import request
from limits.errors import StorageError

from tests.unit.web.conftest import KEYS, Start, Web
from tests.unit.web.deliveries import CUSTOMER, delivery, text_message, value_of
from wa_service.store.client import Store, connect
from wa_service.store.embedded_valkey import EmbeddedValkey
from wa_service.web.auth import Caller, KeyRing, caller_of, check_routes
from wa_service.web.limits import CallLimits

HELLO = {"to": CUSTOMER, "text": "hello"}

CALLERS: dict[str, Caller] = {
    "GET /webhooks/whatsapp": "verify token",
    "POST /webhooks/whatsapp": "signature",
    "POST /v1/messages": "send",
    "GET /v1/messages": "read",
    "GET /v1/messages/<message_id:id>": "read",
    "DELETE /v1/messages/<message_id:id>": "send",
    "POST /v1/messages/<wamid:wamid>/read": "send",
    "POST /v1/batches": "send",
    "GET /v1/batches": "read",
    "GET /v1/batches/<id>": "read",
    "GET /v1/batches/<id>/refused": "read",
    "POST /v1/batches/<id>/pause": "send",
    "POST /v1/batches/<id>/resume": "send",
    "DELETE /v1/batches/<id>": "send",
    "GET /v1/costs": "read",
    "POST /v1/media": "send",
    "GET /v1/media/<id>": "read",
    "DELETE /v1/media/<id>": "admin",
    "GET /v1/templates": "read",
    "POST /v1/numbers/<id>/sync": "manage",
    "GET /v1/events": "read",
    "GET /v1/events/<cursor>": "read",
    "GET /v1/contacts/<id>": "read",
    "GET /v1/contacts/<id>/messages": "read",
    "DELETE /v1/contacts/<id>": "admin",
    "PUT /v1/contacts/<id>/pause": "send",
    "DELETE /v1/contacts/<id>/pause": "send",
    "PUT /v1/contacts/<id>/stop": "send",
    "DELETE /v1/contacts/<id>/stop": "manage",
    "POST /v1/stops": "manage",
    "GET /v1/dead-letters": "read",
    "POST /v1/dead-letters/<id>/replay": "send",
    "DELETE /v1/dead-letters/<id>": "admin",
    "POST /v1/subscriptions": "manage",
    "GET /v1/subscriptions": "manage",
    "GET /v1/subscriptions/<id>": "manage",
    "PATCH /v1/subscriptions/<id>": "manage",
    "DELETE /v1/subscriptions/<id>": "manage",
    "POST /v1/subscriptions/<id>/pause": "manage",
    "POST /v1/subscriptions/<id>/resume": "manage",
    "POST /v1/subscriptions/<id>/replay": "manage",
    "POST /v1/subscriptions/<id>/test": "manage",
    "GET /healthz": "anyone",
    "GET /readyz": "anyone",
    "GET /metrics": "metrics key",
    "GET /openapi.json": "anyone",
    "GET /docs": "anyone",
    "GET /docs/<name>": "anyone",
    "GET /docs/problems": "anyone",
    "GET /console": "session: read",
    "GET /console/sign-in": "anyone",
    "POST /console/sign-in": "anyone",
    "POST /console/sign-out": "session: any",
    "GET /console/static/<name>": "anyone",
    "GET /console/runbooks/<name>": "session: read",
    "GET /console/search": "session: read",
    "POST /console/search": "session: read",
    "GET /console/conversations/<place>": "session: read",
    "GET /console/messages/<place>": "session: read",
    "POST /console/conversations/<place>/write": "session: send",
    "GET /console/conversations/<place>/template": "session: send",
    "POST /console/conversations/<place>/template": "session: send",
    "POST /console/conversations/<place>/pause": "session: send",
    "POST /console/conversations/<place>/stop": "session: send",
    "POST /console/conversations/<place>/start": "session: manage",
    "GET /console/live": "session: read",
    "GET /console/dead-letters": "session: read",
    "POST /console/dead-letters": "session: send",
    "GET /console/subscriptions": "session: manage",
    "POST /console/subscriptions/<name>/<action>": "session: manage",
    "GET /console/messages/<place>/file": "session: read",
    "GET /console/batches": "session: read",
    "GET /console/batches/<name>": "session: read",
    "POST /console/batches/<name>/<action>": "session: send",
    "GET /console/templates": "session: read",
    "GET /console/templates/<name>/<language>": "session: send",
    "POST /console/templates/<name>/<language>": "session: send",
    "GET /console/script": "session: read",
    "POST /console/script": "session: read",
    "POST /console/conversations/<place>/wake": "session: send",
    "GET /console/conversations/<place>/forget": "session: admin",
    "POST /console/conversations/<place>/forget": "session: admin",
}
GUARDED = [route for route, caller in CALLERS.items() if caller in {"send", "read", "manage", "admin"}]


def call(web: Web, route: str, headers: dict[str, str]) -> Any:
    method, rule = route.split(" ")
    path = rule.replace("<wamid:wamid>", "wamid.X").replace("<message_id:id>", "x").replace("<id>", "x")
    return web.client.open(path, method=method, headers=headers)


def test_every_route_says_who_may_call_it(web: Web) -> None:
    found = {}
    for rule in web.app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            found[f"{method} {rule.rule}"] = caller_of(web.app.view_functions[rule.endpoint])

    assert found == CALLERS


def test_a_route_that_does_not_say_stops_the_start(start_web: Start) -> None:
    web = start_web()
    web.app.add_url_rule("/open", view_func=lambda: "anybody?")

    with pytest.raises(LookupError, match="/open"):
        check_routes(web.app)


@pytest.mark.parametrize("route", GUARDED)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}, {"Authorization": "Basic a2V5"}])
def test_without_a_known_key_nothing_is_done(web: Web, route: str, headers: dict[str, str]) -> None:
    answer = call(web, route, headers)

    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", GUARDED)
def test_a_key_without_the_role_is_refused(web: Web, route: str) -> None:
    key = {"send": "reader", "read": "sender", "manage": "both", "admin": "both"}[CALLERS[route]]

    assert call(web, route, KEYS[key]).status_code == 403


def test_the_admin_may_do_everything(web: Web) -> None:
    assert web.send(HELLO, key="boss").status_code == 202
    assert web.get("/v1/events", key="boss").status_code == 200


def test_any_changed_byte_of_a_key_is_refused(web: Web) -> None:
    key = "the-test-key-of-both"
    changed = [key[:i] + chr(ord(key[i]) ^ 1) + key[i + 1 :] for i in range(len(key))]
    changed += [key[:-1], key + "x", key.upper(), "", f" {key}"]

    answers = {
        web.client.get("/v1/events", headers={"Authorization": f"Bearer {each}"}).status_code for each in changed
    }

    assert answers == {401}


class WatchedDigest(bytes):
    """A digest that only `hmac.compare_digest` can compare, because it does not call `__eq__`."""

    __hash__ = None  # type: ignore[assignment]  # prevents a lookup in a dict or set

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared until the first byte that differs")


class WatchedKey:
    """A key that counts its comparisons."""

    roles = frozenset({"read"})

    def __init__(self, key: bytes) -> None:
        self.compared = 0
        self._digest = WatchedDigest(sha256(key).digest())

    @property
    def digest(self) -> bytes:
        self.compared += 1
        return self._digest


@pytest.mark.parametrize(("presented", "found"), [("first", 0), ("third", 2), ("nobody", None)])
def test_a_presented_key_is_compared_with_every_key_in_constant_time(presented: str, found: int | None) -> None:
    keys: list[Any] = [WatchedKey(name) for name in (b"first", b"second", b"third")]

    key = KeyRing(keys).find(f"Bearer {presented}")

    assert key is (None if found is None else keys[found])
    assert [each.compared for each in keys] == [1, 1, 1]


def test_a_key_may_be_given_by_its_hash(start_web: Start) -> None:
    digest = sha256(b"a-hashed-key").hexdigest()
    web = start_web({"WA_API_KEYS": f"tool:sha256:{digest}:read"})

    assert web.client.get("/v1/events", headers={"Authorization": "Bearer a-hashed-key"}).status_code == 200


def test_without_keys_the_rest_api_is_closed(start_web: Start) -> None:
    web = start_web({"WA_API_KEYS": ""})

    assert web.get("/v1/events").status_code == 401


def test_a_call_is_logged_by_its_key_s_name(web: Web, lines: list[dict[str, Any]]) -> None:
    web.get("/v1/messages/wamid.HBgLNUMBER", key="reader")

    line = next(line for line in lines if line["event"] == "whatsapp.api")
    assert (line["key"], line["status"], line["route"]) == ("reader", 404, "/v1/messages/<message_id:id>")
    assert "HBgLNUMBER" not in str(line)
    assert "the-test-key-of-reader" not in str(lines)


def test_a_caller_is_told_how_many_calls_are_left(start_web: Start) -> None:
    web = start_web({"WA_API_RATE": "10/hour"})

    answers = [web.get("/v1/events") for _ in range(2)]

    assert [answer.headers["RateLimit-Limit"] for answer in answers] == ["10", "10"]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["9", "8"]
    assert 0 < int(answers[0].headers["RateLimit-Reset"]) <= 3601


def test_a_key_that_calls_too_often_is_told_when_to_come_back(start_web: Start) -> None:
    web = start_web({"WA_API_RATE": "2/hour"})
    for _ in range(2):
        web.get("/v1/events")

    answer = web.get("/v1/dead-letters")

    assert (answer.status_code, answer.json["type"]) == (429, "/docs#too-many-calls")
    assert 0 < int(answer.headers["Retry-After"]) <= 3601
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert web.get("/v1/events", key="boss").status_code == 200


def test_all_processes_share_a_key_s_limit(start_web: Start) -> None:
    processes = [start_web({"WA_API_RATE": "3/hour"}) for _ in range(2)]

    answers = [processes[i % 2].get("/v1/events").status_code for i in range(4)]

    assert answers == [200, 200, 200, 429]


def test_calls_without_a_key_are_limited_by_their_address(web: Web) -> None:
    answers = [web.client.get("/v1/events").status_code for _ in range(603)]

    assert answers[:60] == [401] * 60
    assert set(answers[60:]) == {429}
    assert web.get("/v1/events").status_code == 200


@pytest.mark.parametrize("route", [route for route in GUARDED if "messages" in route or "events" in route])
def test_with_the_store_away_a_call_is_a_503_and_never_a_500(start_web: Start, route: str) -> None:
    web = start_web({"REDIS_URL": "redis://127.0.0.1:1/0"})

    answer = call(web, route, KEYS["boss"])

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_with_the_store_away_an_unknown_key_is_still_a_401(start_web: Start) -> None:
    web = start_web({"REDIS_URL": "redis://127.0.0.1:1/0"})

    assert web.client.get("/v1/events").status_code == 401


def test_a_proxy_that_is_named_tells_the_caller_s_address(start_web: Start) -> None:
    web = start_web({"WA_TRUSTED_PROXIES": "127.0.0.0/8"})
    seen = []
    web.app.before_request(lambda: seen.append(request.remote_addr))

    web.client.get("/healthz", headers={"X-Forwarded-For": "203.0.113.7"})

    assert seen == ["203.0.113.7"]


@pytest.mark.parametrize("trusted", ["", "10.0.0.0/8"])
def test_a_proxy_that_is_not_named_is_not_believed(start_web: Start, trusted: str) -> None:
    web = start_web({"WA_TRUSTED_PROXIES": trusted})
    seen = []
    web.app.before_request(lambda: seen.append(request.remote_addr))

    web.client.get("/healthz", headers={"X-Forwarded-For": "203.0.113.7"})

    assert seen == ["127.0.0.1"]


def test_the_peer_of_a_unix_socket_is_the_proxy(start_web: Start) -> None:
    web = start_web({"WA_TRUSTED_PROXIES": "10.0.0.0/8"})
    seen = []
    web.app.before_request(lambda: seen.append(request.remote_addr))

    web.client.get("/healthz", headers={"X-Forwarded-For": "203.0.113.7"}, environ_overrides={"REMOTE_ADDR": ""})

    assert seen == ["203.0.113.7"]


def test_a_store_that_stops_answering_is_noticed_by_the_limiter(start_web: Start, tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, sync="everysec") as server:
        web = start_web({"REDIS_URL": server.url})
        assert web.client.get("/v1/messages/x").status_code == 401

    assert web.client.get("/v1/messages/x").status_code == 401
    assert web.runtime.store.availability.unavailable
    assert web.get("/v1/messages/x").status_code == 503


@pytest.mark.parametrize("heard", [True, False])
def test_a_count_that_comes_too_late_marks_the_store_away_only_where_nobody_else_has_heard_of_it(
    valkey_url: str, heard: bool
) -> None:
    store = Store(connect(valkey_url))
    if heard:
        store.do("PING")

    CallLimits(store, "1/second").note_failure(StorageError(redis.TimeoutError("Timeout reading from socket")))

    assert store.availability.unavailable is not heard
    store.close()


class Crowd:
    """Concurrent calls."""

    def __init__(self, web: Web, headers: dict[str, str], size: int) -> None:
        self.statuses: list[int] = []
        self._threads = [threading.Thread(target=self._call, args=(web, headers)) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def _call(self, web: Web, headers: dict[str, str]) -> None:
        self.statuses.append(web.app.test_client().get("/v1/messages/x", headers=headers).status_code)

    @property
    def under_way(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)


# On a busy machine, some calls with a key may get a 503.
@pytest.mark.parametrize(
    ("headers", "answers"), [({}, {401, 429}), (KEYS["both"], {404, 503})], ids=["no_key", "a_key"]
)
def test_a_crowd_of_calls_does_not_turn_a_signed_webhook_away(
    web: Web, redis_client: redis.Redis, headers: dict[str, str], answers: set[int]
) -> None:
    # More calls than connections in the store's pool; the pause keeps them all open at the same time.
    redis_client.client_pause(500)
    crowd = Crowd(web, headers, 200)
    webhooks: list[int] = []
    while crowd.under_way or not webhooks:  # on a slow machine, all calls may have ended by now
        webhooks.append(web.webhook(delivery(value_of(messages=[text_message()]))).status_code)

    assert set(webhooks) == {200}
    assert set(crowd.statuses) <= answers


class NarrowStore(Store):
    """A store whose additional pools have one connection."""

    def new_pool(self, connections: int, seconds: float) -> redis.BlockingConnectionPool:
        self.pool = super().new_pool(1, 0.01)
        return self.pool


def test_who_cannot_be_counted_in_time_is_told_to_come_back_and_the_store_is_not_away(
    start_web: Start, valkey_url: str
) -> None:
    store = NarrowStore(connect(valkey_url))
    web = start_web(store=store)
    pool: Any = store.pool  # redis-py has no types for it
    in_use = pool.get_connection()

    answer, refused = web.get("/v1/messages/x"), web.client.get("/v1/messages/x")

    assert (answer.status_code, answer.headers["Retry-After"], refused.status_code) == (503, "1", 401)
    assert not store.availability.unavailable
    pool.release(in_use)
    assert web.get("/v1/messages/x").status_code == 404


@pytest.mark.parametrize("path", ["/webhooks//whatsapp", "//webhooks/whatsapp", "/v1//events"])
def test_doubled_slashes_are_no_reason_to_redirect(web: Web, path: str) -> None:
    answer = web.client.get(path, headers=KEYS["both"] | {"Host": "evil.example"})

    assert (answer.status_code, answer.headers.get("Location")) == (404, None)


def test_guesses_at_the_metrics_key_are_limited(start_web: Start) -> None:
    web = start_web({"WA_METRICS_KEY": "a-metrics-key-of-twenty"})

    answers = [web.client.get("/metrics").status_code for _ in range(62)]

    assert answers == [401] * 60 + [429] * 2


def test_where_web_listens_on_loopback_a_web_site_s_name_is_refused(web: Web, start_web: Start) -> None:
    """DNS rebinding can point a web site's name to 127.0.0.1. Webhooks are exempt: they may come through a tunnel."""
    behind_a_proxy = start_web({"WA_TRUSTED_PROXIES": "127.0.0.1"})
    elsewhere = start_web({"WA_BIND": "0.0.0.0:8000"})
    foreign = KEYS["reader"] | {"Host": "evil.example:8000"}

    for path in ("/v1/events", "/docs", "/openapi.json", "/metrics"):
        assert web.client.get(path, headers=foreign).status_code == 403
    assert web.client.get("/webhooks/whatsapp?hub.challenge=1", headers=foreign).json["detail"].startswith("Wrong")
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000"):
        assert web.client.get("/v1/events", headers=KEYS["reader"] | {"Host": host}).status_code == 200
    for other in (behind_a_proxy, elsewhere):
        assert other.client.get("/v1/events", headers=foreign).status_code == 200


def test_personal_answers_stay_in_no_cache(web: Web) -> None:
    answers = [web.get("/v1/events"), web.get(f"/v1/contacts/{CUSTOMER}"), web.client.get("/v1/events")]

    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 3


def test_calls_without_a_key_write_one_line_a_second(web: Web, lines: list[dict[str, Any]]) -> None:
    lines.clear()

    for _ in range(20):
        web.client.get("/v1/events")

    assert len([line for line in lines if line["event"] == "whatsapp.api"]) <= 3


def test_the_rate_limits_do_not_load_a_second_redis_client() -> None:
    code = (
        "import sys\n"
        "from flask import Blueprint, Flask\n"
        "from wa_service.store.client import Store, connect\n"
        "from wa_service.web.limits import CallLimits\n"
        "limits = CallLimits(Store(connect('redis://127.0.0.1:1/0')), '1/second')\n"
        "limits.count_calls(Flask('app'), Blueprint('api', 'api'))\n"
        "print('valkey' in sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert loaded.stdout.strip() == "False"
