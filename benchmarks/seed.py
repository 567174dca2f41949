"""Fill a service's store before a measurement, through the store's own operations.

python -m benchmarks.seed records COUNT FILE     sends that Meta accepted; (id, wamid, to) of each as JSON
python -m benchmarks.seed queue COUNT            queued sends, each to a different customer
python -m benchmarks.seed mailboxes COUNT EACH   conversations with queued messages
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - after the patch
import sys  # noqa: E402 - after the patch
import time  # noqa: E402 - after the patch
import uuid  # noqa: E402 - after the patch
from pathlib import Path  # noqa: E402 - after the patch

import orjson  # noqa: E402 - after the patch
from gevent.pool import Pool  # noqa: E402 - after the patch

from benchmarks import payloads  # noqa: E402 - after the patch
from wa_service.config import settings  # noqa: E402 - after the patch
from wa_service.observability import multiprocess  # noqa: E402 - after the patch

loaded = settings.load()
multiprocess.share(loaded.metrics_dir)

from wa_service import runtime  # noqa: E402 - after the metrics directory is known
from wa_service.store.outbox import Priority, Send, SendOutcome  # noqa: E402 - as above
from wa_service.whatsapp.webhooks.events import walk  # noqa: E402 - as above

built = runtime.build(loaded)
outbox = built.outbox


def send(index: int) -> Send:
    """Return a text to the n-th customer."""
    to = payloads.customer(index)
    body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "Your table is ready."}}
    return Send(uuid.uuid4().hex, payloads.NUMBER, "text", orjson.dumps(body), to, priority=Priority.BULK)


def queue(count: int) -> list[Send]:
    """Queue sends in their lanes."""
    sends = [send(i) for i in range(count)]
    for _ in Pool(100).imap_unordered(outbox.put, sends):
        pass
    return sends


def records(count: int, file: Path) -> None:
    """Record sends as granted and accepted, without Meta."""
    recipients = {each.id: each.address for each in queue(count)}
    accepted: list[tuple[str, str, str]] = []
    pool, counter = Pool(100), 0
    while len(accepted) < count:
        answer = outbox.next(payloads.NUMBER, "seed", counter, 64)
        counter += 1
        for grant in answer.grants:
            wamid = payloads.wamid("s", len(accepted))
            accepted.append((grant.id, wamid, recipients[grant.id]))
            pool.spawn(outbox.done, payloads.NUMBER, grant, SendOutcome("accepted", wamid=wamid, meta_healthy=True))
        if not answer.grants:
            time.sleep(min(answer.wait, 0.05))
    pool.join(raise_error=True)
    file.write_text(json.dumps(accepted))


def mailboxes(count: int, each: int) -> None:
    """Queue messages, `each` per conversation."""
    now = int(time.time() * 1000)
    commands = []
    for n in range(each):
        for i in range(count):
            message = payloads.text_message(payloads.customer(i), payloads.wamid(f"m{n}", i), "when is breakfast?")
            piece = next(iter(walk(json.loads(payloads.delivery([message])))))
            commands.append(built.inbox.admit(piece, now))
            if len(commands) == 128:
                built.store.run(commands)
                commands = []
    built.store.run(commands)


match sys.argv[1:]:
    case ["records", number, name]:
        records(int(number), Path(name))
    case ["queue", number]:
        queue(int(number))
    case ["mailboxes", number, each_of]:
        mailboxes(int(number), int(each_of))
