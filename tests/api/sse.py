"""An SSE reader as the standard has it, for what this server sends: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import re

Block = dict[str, str]


def blocks(stream: bytes) -> list[Block]:
    """Return the blocks of a stream, without comments; what is not ended by an empty line is an error."""
    *whole, rest = stream.decode().split("\n\n")
    assert not rest, f"{rest!r} is not ended"
    return [block for text in whole if (block := _block(text))]


def _block(text: str) -> Block:
    lines = [line.partition(": ") for line in re.split("\r\n|\r|\n", text) if not line.startswith(":")]
    fields = {field: value for field, _, value in lines}
    assert len(fields) == len(lines), f"{text!r} says something twice"
    return fields
