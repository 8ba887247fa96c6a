"""Cursors: a place in a list, signed, and bound to whose list it is and to what it shows. Pure.

Nothing is kept on the server, so every process with the same key reads every other's cursors.
"""

from hashlib import sha256
from typing import Annotated

from itsdangerous import BadData, BadSignature, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from msgspec import DecodeError, Meta, Struct, json

from api.errors import ParameterRefused
from streams.jobs.item import LARGEST
from streams.jobs.selection import Order, Place, Selection

LIST = 11  # characters, 64 bits, of the signature that tells for which list a cursor was made
LONGEST = 20_000  # characters; a job id has at most 2048 bytes, and JSON may take six for one
PATTERN = r"^([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)?$"

ALLOWED = "next_cursor of a page of the same list"


class _Cursor(Struct, frozen=True, array_like=True):
    made_for: str
    page: Annotated[int, Meta(ge=1, le=LARGEST)]
    place: Place


class Cursors:
    """Writes and reads the cursors of one key."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(key, salt=b"headway list cursor", key_derivation="hmac", digest_method=sha256)

    def write(self, selection: Selection, order: Order, page: int, place: Place) -> str:
        """Return the cursor of the page with this number, which begins at this place."""
        return self._signed(json.encode(_Cursor(self._list(selection, order), page, place)))

    def read(self, cursor: str, selection: Selection, order: Order) -> tuple[int, Place]:
        """Return the number of the page and where it begins; raises ParameterRefused for any cursor but this list's."""
        try:
            found = json.decode(self._unsigned(cursor), type=_Cursor)
        except BadData:
            raise ParameterRefused("cursor", "not one of ours, or changed", ALLOWED) from None
        except (DecodeError, RecursionError):
            raise ParameterRefused("cursor", "of another version of Headway", ALLOWED) from None
        if found.made_for != self._list(selection, order):
            raise ParameterRefused("cursor", "made for other filters, another sort or another user", ALLOWED)
        if not order.accepts(found.place):  # a signature tells who made it, not that it is right
            raise ParameterRefused("cursor", "no place in this list", ALLOWED)
        return found.page, found.place

    def _list(self, selection: Selection, order: Order) -> str:
        return self._signer.get_signature(json.encode((selection, order)))[:LIST].decode()

    def _signed(self, body: bytes) -> str:
        return self._signer.sign(base64_encode(body)).decode()

    def _unsigned(self, cursor: str) -> bytes:
        body = base64_decode(self._signer.unsign(cursor[:LONGEST]))
        if self._signed(body) != cursor:  # decoding overlooks what is not in the alphabet
            raise BadSignature("this is not how it was written")
        return body
