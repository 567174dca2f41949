"""The whole service on a primary, two replicas and three Sentinels."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.phones import customer, delivery, message, messages
from tests.e2e.stack import ROLES, Role, Stack
from tests.eventually import eventually
from wa_service.store.client import connect
from wa_service.store.embedded_replicas import ReplicatedValkey

SERVICE_ROLES: tuple[Role, ...] = tuple(role for role in ROLES if role != "valkey")


class ReplicatedStack(Stack):
    """`replicas`: how many replicas must have a write before it is acknowledged (WA_REDIS_REPLICAS)."""

    def __init__(self, directory: Path, replicas: int, environment: Mapping[str, str] | None = None) -> None:
        self.servers = ReplicatedValkey(directory / "replicated", 2, sync="everysec")
        super().__init__(
            directory,
            environment={
                "REDIS_URL": self.servers.url,
                "WA_SENTINEL_PASSWORD": self.servers.password,
                "WA_REDIS_REPLICAS": str(replicas),
                "WA_FAILOVER_PAUSE": "0",
                **(environment or {}),
            },
        )
        self.redis.close()
        self.redis = connect(self.servers.url, sentinel_password=self.servers.password)

    def start(self, *roles: Role) -> None:
        """Start the servers and the roles that do not run, and wait until they work."""
        self.servers.start()
        super().start(*(roles or SERVICE_ROLES))

    def stop(self) -> None:
        """Stop everything."""
        super().stop()
        self.servers.stop()

    def kill_primary(self) -> float:
        """Kill the primary with SIGKILL; after the failover, replace it with a new server.

        Return the seconds from the kill until a webhook was acknowledged.
        """
        dead = self.servers.primary()
        killed = time.monotonic()
        self.servers.signal(dead, signal.SIGKILL)
        eventually(lambda: self.servers.primary() not in ("", dead), within=30)
        self.servers.start_one(dead)
        body = delivery(messages(message(customer(998), "back?")))
        eventually(lambda: self.webhooks.post(body) == 200, within=60, every=0.05)
        return time.monotonic() - killed

    def freeze_primary(self, seconds: float) -> None:
        """Stop the primary for `seconds` as a network partition would; meanwhile another server is promoted."""
        frozen = self.servers.primary()
        self.servers.signal(frozen, signal.SIGSTOP)
        until = time.monotonic() + seconds
        eventually(lambda: time.monotonic() > until, within=seconds + 5)
        eventually(lambda: self.servers.primary() not in ("", frozen), within=30)
        self.servers.signal(frozen, signal.SIGCONT)
        eventually(self.servers.complete, within=60, every=0.2)
