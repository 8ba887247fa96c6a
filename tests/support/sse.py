"""An SSE reader as the standard has it, for what this server sends: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import re

Block = dict[str, str]


def content(chunks: bytes) -> bytes:
    """Return what chunks of HTTP/1.1 hold (RFC 9112, 7.1); one that is not as long as it says is an error."""
    held = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        end = int(size, 16)
        held += rest[:end]
        assert rest[end : end + 2] == b"\r\n", f"a chunk is not {end} bytes long: {rest[: end + 2]!r}"
        chunks = rest[end + 2 :]
    return held


def blocks(chunks: bytes) -> list[Block]:
    """Return the blocks of a stream that came in chunks."""
    return blocks_of(content(chunks))


def blocks_of(stream: bytes) -> list[Block]:
    """Return the blocks of a stream, without comments; what is not ended by an empty line is an error."""
    *whole, rest = stream.decode().split("\n\n")
    assert not rest, f"{rest!r} is not ended"
    return [block for text in whole if (block := _block(text))]


def _block(text: str) -> Block:
    lines = [line.partition(": ") for line in re.split("\r\n|\r|\n", text) if not line.startswith(":")]
    fields = {field: value for field, _, value in lines}
    assert len(fields) == len(lines), f"{text!r} says something twice"
    return fields
