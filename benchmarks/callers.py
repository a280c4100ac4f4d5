"""A load generator: callers on connections of their own, each asking as soon as it was answered.

It speaks just enough HTTP/1.1 to cost little beside what it measures, and is the same for every
service.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

Request = Callable[[int], bytes]


@dataclass(frozen=True)
class Load:
    """What the callers saw: seconds of each answer, in order, and of the whole."""

    seconds: list[float]
    refused: int
    lasted: float

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.lasted

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the answers came."""
        return self.seconds[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


def post(path: str, body: bytes, headers: str = "") -> bytes:
    """A request as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}{headers}content-length: {len(body)}\r\n\r\n".encode() + body


def load(port: int, request: Request, *, callers: int, seconds: float, first: int) -> Load:
    """Ask for ``seconds`` from ``callers`` at once; ``request`` makes the n-th request from n."""
    return asyncio.run(_load(port, request, callers, seconds, first))


async def _load(port: int, request: Request, callers: int, seconds: float, first: int) -> Load:
    taken: list[float] = []
    refused, number = 0, first - 1
    began = time.perf_counter()

    async def call() -> None:
        nonlocal refused, number
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() - began < seconds:
            number += 1
            content = request(number)
            asked = time.perf_counter()
            writer.write(content)
            status = await _answer(reader)
            taken.append(time.perf_counter() - asked)
            refused += status >= 300
        writer.close()

    await asyncio.gather(*(call() for _ in range(callers)))
    return Load(sorted(taken), refused, time.perf_counter() - began)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head[9:12])
