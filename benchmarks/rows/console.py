"""CPU time of the console's pages with 100,000 conversations and a million sends in the store, on one core."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from statistics import median

import redis
import requests

from benchmarks import machine, payloads
from benchmarks.measure import Goal, Line, plain
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError, Part
from benchmarks.service import Service, Workshop
from wa_service.store.embedded_valkey import embedded_url

EACH = 10
"""Sends per conversation, besides two messages of the customer."""
_CHUNK = 500
# The keys that the steps write; running the steps would take an hour.
_FILL = r"""
local prefix, number, first, count, now = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local tagged = prefix .. 'tagged:' .. redis.sha1hex('season')
for i = first, first + count - 1 do
  local to = string.format('4477%08d', i)
  local c, at = number .. ':' .. to, now - i * 10
  redis.call('HSET', prefix .. 'contact:' .. c, 'n', number, 'name', 'Customer ' .. i, 'addresses', to, 'last_in', at,
    'window_end', at + 86400000, 'since', at)
  redis.call('SET', prefix .. 'alias:' .. number .. ':' .. to, c)
  redis.call('ZADD', prefix .. 'recent', at, c)
  redis.call('ZADD', prefix .. 'names', 0, 'customer\0' .. c, 0, i .. '\0' .. c)
  for k = 1, 2 do
    local event = string.format('{"v":2,"k":"message","f":"messages","w":"1","n":"%s","i":"wamid.%d.%d","t":%d,' ..
      '"a":["%s"],"p":null,"m":{"id":"wamid.%d.%d","from":"%s","type":"text","text":{"body":"Free at eight?"}},' ..
      '"x":"","e":0,"r":%.0f}', number, i, k, math.floor(at / 1000), to, i, k, to, at)
    local id = redis.call('XADD', prefix .. 'events', '*', 'k', 'message', 'c', c, 'd', event)
    redis.call('RPUSH', prefix .. 'thread:' .. c, 'e' .. id)
  end
  for k = 1, tonumber(ARGV[5]) do
    local id = string.format('%024d%08d', i, k)
    redis.call('HSET', prefix .. 'record:' .. id, 'v', 1, 'n', number, 'c', c, 'type', 'text', 'status', 'read',
      'rank', 6, 's:queued', at + k, 's:sending', at + k + 5, 's:accepted', at + k + 90, 's:read', at + k + 900,
      'tag', 'season', 'to', to, 'wamid', 'wamid.OUT' .. id,
      'body', '{"to":"' .. to .. '","type":"text","text":{"body":"It is. See you then!"}}')
    redis.call('ZADD', prefix .. 'sends', at + k, id)
    redis.call('LPUSH', tagged, id)
    redis.call('RPUSH', prefix .. 'thread:' .. c, 'r' .. id)
  end
end
redis.call('LTRIM', tagged, 0, 99)
return count
"""


def run(plan: Plan) -> list[Line]:
    """Measure the CPU of web and Valkey together, on one core."""
    conversations = plan.many(100_000)
    with Workshop() as workshop:
        service = Service(workshop)
        valkey = service.valkey(on=machine.SERVER)
        client = redis.Redis.from_url(embedded_url(workshop.directory, wait=30))
        _fill(client, conversations)
        service.tidy_up(180.0)
        web = service.web(on=machine.SERVER)
        user = _User(f"http://127.0.0.1:{service.port}/console")
        pages, searches = user.pages(), user.searches(conversations)
        rounds = plan.many(20, 5)
        times = {}
        for name, ask in {**pages, **searches}.items():
            user.sign_in()  # the rate limit is per session
            times[name] = _times(ask, rounds, [web, valkey])
    lines: list[Line] = []
    for kind, names, goal in (("page", pages, 300), ("search", searches, 500)):
        worst = max(names, key=lambda name: median(times[name]))
        what = f"slowest {kind} of the console, {conversations:,} conversations, {conversations * EACH:,} sends"
        each = {name.replace(" ", "_") + "_ms": round(median(times[name]), 1) for name in names}
        lines.append(plain(f"console_{kind}", what, times[worst], "ms", Goal("≤", goal), worst, **each))
    return lines


def _fill(client: redis.Redis, conversations: int) -> None:
    fill = client.register_script(_FILL)
    now = int(time.time() * 1000)
    for first in range(0, conversations, _CHUNK):
        count = min(_CHUNK, conversations - first)
        fill(keys=["wa:{main}:"], args=[payloads.NUMBER, first, count, now, EACH])


class _User:
    """A signed-in user that requests pages as a browser does."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._session = requests.Session()
        self._session.headers["Sec-Fetch-Site"] = "same-origin"
        self.sign_in()

    def sign_in(self) -> None:
        """Start a session."""
        self._session.cookies.clear()
        self._post("/sign-in", key="benchmark-key-for-measuring")
        self._token = re.findall(r'name="csrf" value="([0-9a-f]+)"', self._get("/search"))[0]

    def pages(self) -> dict[str, Callable[[], object]]:
        """Return a request per page, by name."""
        address = self._found("447700000042").url.removeprefix(self._base)
        story = re.findall(r'href="/console(/messages/[^"]+)"', self._get(address))[0]
        paths = {"now": "", "recent": "/search", "conversation": address, "story": story}
        paths |= {"dead letters": "/dead-letters", "batches": "/batches", "subscriptions": "/subscriptions"}
        paths["script"] = "/script"
        return {name: lambda path=path: self._get(path) for name, path in paths.items()}  # type: ignore[misc]  # bound

    def searches(self, conversations: int) -> dict[str, Callable[[], object]]:
        """Return a request per kind of search, by name; searches without a result take longest."""
        wanted = {
            "number": "+44 7700 000042",
            "name": f"customer {conversations - 1}",
            "part of a name": f"omer {min(conversations, 10_000) - 1}",
            "name of all": "customer",
            "nobody": "Nemo Nobody",
            "tag": "tag:season",
            "no tag": "tag:nothing",
            "our id": f"{42:024d}{1:08d}",
        }
        return {name: lambda text=text: self._found(text) for name, text in wanted.items()}  # type: ignore[misc]  # bound

    def _found(self, text: str) -> requests.Response:
        return self._post("/search", wanted=text, csrf=self._token)

    def _get(self, path: str) -> str:
        return _checked(self._session.get(f"{self._base}{path}", timeout=30)).text

    def _post(self, path: str, **fields: str) -> requests.Response:
        return _checked(self._session.post(f"{self._base}{path}", data=fields, timeout=30))


def _checked(answer: requests.Response) -> requests.Response:
    if answer.status_code != 200:
        raise BenchmarkError(f"{answer.url} answered {answer.status_code}")
    return answer


def _times(ask: Callable[[], object], rounds: int, parts: list[Part]) -> list[float]:
    """Return the mean CPU milliseconds per request of `rounds` requests, measured three times."""
    ask()
    seen = []
    for _ in range(3):
        before = sum(part.cpu_seconds() for part in parts)
        for _ in range(rounds):
            ask()
        seen.append((sum(part.cpu_seconds() for part in parts) - before) * 1000 / rounds)
    return seen
