from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis

from tests.eventually import eventually
from wa_service.store.embedded_replicas import ReplicatedValkey
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


def test_it_listens_on_no_port(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert client.config_get("port") == {"port": "0"}


@pytest.mark.parametrize("mode", [None, 0o755])
def test_socket_and_data_are_for_their_owner_only(tmp_path: Path, mode: int | None) -> None:
    directory = tmp_path / "a directory"
    if mode:
        directory.mkdir(mode=mode)
    with EmbeddedValkey(directory) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE((directory / "valkey.sock").stat().st_mode) == 0o700


def test_a_path_that_is_too_long_for_a_socket_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedValkeyError, match="WA_VAR_DIR"):
        EmbeddedValkey(tmp_path / ("x" * 100)).start()


def test_a_directory_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedValkeyError, match="WA_VAR_DIR"):
        EmbeddedValkey(tmp_path / "file" / "valkey").start()
    with pytest.raises(EmbeddedValkeyError, match="WA_VAR_DIR"):
        ReplicatedValkey(tmp_path / "file" / "valkey", 1)


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


def test_a_socket_left_behind_by_a_dead_server_is_not_believed(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "valkey") as server:
        assert embedded_url(tmp_path) == server.url
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: server.pid is None)
        assert (tmp_path / "valkey" / "valkey.sock").exists()
        with pytest.raises(EmbeddedValkeyError):
            embedded_url(tmp_path)
    with pytest.raises(EmbeddedValkeyError):
        embedded_url(tmp_path)


def test_a_waiting_process_gets_the_address_once_the_server_is_up(tmp_path: Path) -> None:
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.append(embedded_url(tmp_path, wait=20)))
    waiting.start()
    with EmbeddedValkey(tmp_path / "valkey") as server:
        waiting.join(20)
        assert found == [server.url]


def test_a_server_that_dies_is_started_again_with_what_it_had(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wa_service", "valkey"]
    environment = {"PATH": os.environ["PATH"], "WA_VAR_DIR": str(tmp_path), "WA_ENV_FILE": os.devnull}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().removeprefix("Valkey is ready at ").rstrip(".\n")
            for value in ("one", "two", "three"):
                with redis.Redis.from_url(url) as client:
                    client.rpush("kept", value)
                    killed = client.info("server")["process_id"]
                os.kill(killed, signal.SIGKILL)
                eventually(lambda: server_of(url) not in {None, killed}, within=30)  # noqa: B023 - called at once
            with redis.Redis.from_url(url) as client:
                assert client.lrange("kept", 0, -1) == [b"one", b"two", b"three"]
        finally:
            process.terminate()
            said = process.stdout.read()
            process.wait(30)
    assert process.returncode == 0
    pauses = [line.rpartition(" in ")[2] for line in said.splitlines() if "started again" in line]
    assert pauses == ["0.0 s.", "0.2 s.", "0.4 s."]


def server_of(url: str) -> int | None:
    """Return the id of the server's process, or None if it does not respond."""
    with redis.Redis.from_url(url) as client:
        try:
            return int(client.info("server")["process_id"])
        except redis.RedisError:
            return None
