"""What comes over a connection, cut where the head of a request ends. Pure.

A parser reads on to the next request, and the next, for as long as it is given bytes. Cut here, it gets one at a time.
"""

END = b"\r\n\r\n"
OVERLAP = len(END) - 1


class Heads:
    """The bytes of requests without bodies, of which the first head is taken, piece by piece as it comes."""

    def __init__(self) -> None:
        self.size = 0  # bytes taken of a head that is not complete
        self._held = bytearray()
        self._taken = 0  # of what is held: an end may lie across two pieces

    def __len__(self) -> int:
        """Return how many bytes are not taken yet."""
        return len(self._held) - self._taken

    def add(self, data: bytes) -> None:
        """Keep what came."""
        self._held += data

    def take(self) -> bytes:
        """Take what is there up to the end of the first head."""
        end = self._held.find(END)
        stop = len(self._held) if end < 0 else end + len(END)
        piece = bytes(self._held[self._taken : stop])
        self.size = self.size + len(piece) if end < 0 else 0
        del self._held[: stop if end >= 0 else max(0, stop - OVERLAP)]
        self._taken = 0 if end >= 0 else len(self._held)
        return piece

    def clear(self) -> None:
        """Forget what is not taken."""
        del self._held[self._taken :]
