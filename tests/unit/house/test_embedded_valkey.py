from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from wa_service.store.embedded_valkey import EmbeddedValkey, EmbeddedValkeyError, embedded_url


def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
    with EmbeddedValkey(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"yes"


def test_every_write_is_synced_and_nothing_is_evicted(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_only_loopback_may_connect_and_only_with_the_password(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        port = client.connection_pool.connection_kwargs["port"]
        stranger = redis.Redis(port=port, retry=Retry(NoBackoff(), 0))
        with stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_two_servers_never_share_a_directory(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as first:
        with pytest.raises(EmbeddedValkeyError, match=f"process {first.pid}"):
            EmbeddedValkey(tmp_path).start()
        assert first.pid is not None


def test_the_directory_is_free_again_after_a_stop(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path):
        pass
    with EmbeddedValkey(tmp_path) as second:
        assert second.pid is not None


def test_where_nobody_answers_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedValkeyError) as caught:
        embedded_url(tmp_path)
    assert "python -m wa_service valkey" in str(caught.value)
    assert "REDIS_URL" in str(caught.value)


def test_a_file_left_behind_by_a_dead_server_is_not_believed(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "valkey") as server:
        (tmp_path / "valkey.url").write_text(server.url)
        assert embedded_url(tmp_path) == server.url
    with pytest.raises(EmbeddedValkeyError):
        embedded_url(tmp_path)


def test_a_waiting_process_gets_the_address_once_the_server_is_up(tmp_path: Path) -> None:
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.append(embedded_url(tmp_path, wait=20)))
    waiting.start()
    with EmbeddedValkey(tmp_path / "valkey") as server:
        (tmp_path / "valkey.url").write_text(server.url)
        waiting.join(20)
        assert found == [server.url]


def test_the_data_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "valkey"):
        assert stat.S_IMODE((tmp_path / "valkey").stat().st_mode) == 0o700
