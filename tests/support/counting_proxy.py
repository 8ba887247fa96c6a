"""A relay before DynamoDB that counts what is asked, by operation."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

OPERATION = re.compile(rb"x-amz-target: *\w+\.(\w+)\r\n", re.IGNORECASE)
LONGEST = 128  # bytes of a header line that one read may cut in two


@asynccontextmanager
async def counting_proxy(target: str) -> AsyncIterator[tuple[str, Counter[str]]]:
    """Give the address of the proxy and its counts, which grow while it is used."""
    counts: Counter[str] = Counter()
    there = urlsplit(target)

    relaying: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(there.hostname, there.port)
        try:
            await asyncio.gather(_pass_on(answers, writer), _pass_on(reader, requests, counts))
        finally:
            for end in (writer, requests):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relaying.add(task := asyncio.ensure_future(relay(reader, writer)))
        task.add_done_callback(relaying.discard)

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", counts
        for task in relaying:
            task.cancel()
        await asyncio.gather(*relaying, return_exceptions=True)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: Counter[str] | None = None
) -> None:
    seen = b""
    with suppress(OSError):  # Headway is killed on purpose
        while data := await reader.read(2**16):
            if counts is not None:
                seen = _count(seen + data, counts)
            writer.write(data)
            await writer.drain()
        writer.write_eof()


def _count(seen: bytes, counts: Counter[str]) -> bytes:
    """Count what is asked for in some bytes; return what may belong to a line that is not whole yet."""
    end = 0
    for found in OPERATION.finditer(seen):
        counts[found[1].decode()] += 1
        end = found.end()
    return seen[end:][-LONGEST:]
