"""Malicious callers in a separate process: `python -m tests.e2e.hostile_callers HOST PORT KEY SECONDS`.

Some have no key and connect to web's port directly; others misuse a valid key.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Attack: TypeAlias = Callable[[Reader, Writer], Awaitable[None]]

HOOK = "POST /webhooks/whatsapp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SIGNED = f"X-Hub-Signature-256: sha256={'0' * 64}\r\n"
MEGABYTES = 4 * 1024 * 1024


async def answered(reader: Reader, writer: Writer, request: bytes) -> None:
    """Send a request and read the response until the other side closes or a second passes."""
    writer.write(request)
    await writer.drain()
    with contextlib.suppress(asyncio.TimeoutError):
        while await asyncio.wait_for(reader.read(65_536), 1.0):
            pass


async def drip(_: Reader, writer: Writer) -> None:
    """Send a body byte by byte and never complete it."""
    writer.write(f"{HOOK}Content-Length: {MEGABYTES}\r\n\r\n".encode())
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(1)


async def idle(reader: Reader, _: Writer) -> None:
    """Open a connection and send nothing."""
    await reader.read()


async def chunks(reader: Reader, writer: Writer) -> None:
    """Send a body of one-byte chunks."""
    await answered(reader, writer, f"{HOOK}Transfer-Encoding: chunked\r\n\r\n".encode() + b"1\r\nx\r\n" * 50_000)


async def unsigned(reader: Reader, writer: Writer) -> None:
    """Send a large body with an invalid signature."""
    await answered(reader, writer, f"{HOOK}{SIGNED}Content-Length: {MEGABYTES}\r\n\r\n".encode() + b" " * MEGABYTES)


async def scrape(reader: Reader, writer: Writer) -> None:
    """Request the metrics."""
    await answered(reader, writer, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")


def guess(key: str) -> Attack:
    """Call the API with an invalid key."""

    async def attack(reader: Reader, writer: Writer) -> None:
        await answered(reader, writer, call("GET /v1/events", key[::-1]))

    return attack


def poll(key: str) -> Attack:
    """Start a long poll."""

    async def attack(reader: Reader, writer: Writer) -> None:
        writer.write(call("GET /v1/events?after=latest&wait=20", key))
        await writer.drain()
        await reader.read(65_536)

    return attack


def shapes(key: str) -> Attack:
    """Send a message with thousands of errors."""
    sections = b",".join([b'{"rows":[]}'] * 5_000)
    body = (
        b'{"to":"447700900123","type":"interactive","interactive":{"type":"list","body":{"text":"x"},'
        b'"action":{"button":"b","sections":[' + sections + b"]}}}"
    )

    async def attack(reader: Reader, writer: Writer) -> None:
        head = call("POST /v1/messages", key, f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n")
        await answered(reader, writer, head + body)

    return attack


def batches(key: str) -> Attack:
    """Send a batch of 10,000 invalid items."""
    body = b'{"message":{"text":"x"},"items":[' + b",".join([b'{"to":"1-1-1-1-1-1-1-1"}'] * 10_000) + b"]}"

    async def attack(reader: Reader, writer: Writer) -> None:
        head = call("POST /v1/batches", key, f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n")
        await answered(reader, writer, head + body)

    return attack


def values(key: str) -> Attack:
    """Send a batch of eight million values."""
    body = b'{"message":{"text":"x"},"items":[' + b"1," * 7_900_000 + b"1]}"

    async def attack(reader: Reader, writer: Writer) -> None:
        head = call("POST /v1/batches", key, f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n")
        await answered(reader, writer, head + body)

    return attack


def call(what: str, key: str, more: str = "") -> bytes:
    """Return the head of an API request."""
    return (
        f"{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n{more}\r\n".encode()
    )


async def again_and_again(host: str, port: int, attack: Attack, pause: float) -> None:
    """Repeat an attack, each time on a new connection."""
    while True:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 10)
            try:
                await attack(reader, writer)
            finally:
                writer.close()
        await asyncio.sleep(pause)


async def main(host: str, port: int, key: str, seconds: float) -> None:
    """Run all attacks concurrently for `seconds`."""
    crowd: list[tuple[Attack, int, float]] = [
        (drip, 400, 0.5),
        (idle, 400, 0.5),
        (chunks, 2, 0.2),
        (unsigned, 2, 0.5),
        (scrape, 2, 0.5),
        (guess(key), 2, 0.1),
        (poll(key), 200, 0.5),
        (shapes(key), 1, 0.2),
        (batches(key), 1, 2.0),
        (values(key), 1, 2.0),
    ]
    tasks = [
        asyncio.create_task(again_and_again(host, port, attack, pause))
        for attack, count, pause in crowd
        for _ in range(count)
    ]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
