"""Cursors: a place in a list, signed, and bound to whose list it is and to what it shows. Pure.

Nothing is kept on the server, so every process with the same key reads every other's cursors.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64

from msgspec import DecodeError, Struct, json

from api.errors import ParameterRefused
from streams.jobs.selection import Order, Place, Selection
from streams.settings import Settings

SIGNATURE = 16  # bytes of the HMAC-SHA256 that are kept
LIST = 8  # bytes of the digest that tells for which list a cursor was made
LONGEST = 20_000  # characters; a job id has at most 2048 bytes, and JSON may take six for one

ALLOWED = "next_cursor of a page of the same list"


class _Cursor(Struct, frozen=True, array_like=True):
    made_for: str
    page: int
    place: Place


class Cursors:
    """Writes and reads the cursors of one key."""

    def __init__(self, key: bytes) -> None:
        self._mac = hmac.new(key, digestmod="sha256")  # made ready once

    def write(self, selection: Selection, order: Order, page: int, place: Place) -> str:
        """Return the cursor of the page with this number, which begins at this place."""
        body = json.encode(_Cursor(self._list(selection, order), page, place))
        return _text(self._sign(body, SIGNATURE) + body)

    def read(self, cursor: str, selection: Selection, order: Order) -> tuple[int, Place]:
        """Return the number of the page and where it begins; raises ParameterRefused for any cursor but this list's."""
        try:
            signed = urlsafe_b64decode(cursor[:LONGEST].encode("ascii") + b"=" * (-len(cursor) % 4))
        except (NotBase64, UnicodeEncodeError):
            raise ParameterRefused("cursor", "not one of ours", ALLOWED) from None
        if _text(signed) != cursor:  # decoding overlooks what is not in the alphabet
            raise ParameterRefused("cursor", "not one of ours, or changed", ALLOWED)
        signature, body = signed[:SIGNATURE], signed[SIGNATURE:]
        if not hmac.compare_digest(signature, self._sign(body, SIGNATURE)):
            raise ParameterRefused("cursor", "not one of ours, or changed", ALLOWED)
        try:
            found = json.decode(body, type=_Cursor)
        except DecodeError:
            raise ParameterRefused("cursor", "of another version of Headway", ALLOWED) from None
        if found.made_for != self._list(selection, order):
            raise ParameterRefused("cursor", "made for other filters, another sort or another user", ALLOWED)
        return found.page, found.place

    def _list(self, selection: Selection, order: Order) -> str:
        return self._sign(json.encode((selection, order)), LIST).hex()

    def _sign(self, text: bytes, length: int) -> bytes:
        mac = self._mac.copy()
        mac.update(text)
        return mac.digest()[:length]


def _text(signed: bytes) -> str:
    return urlsafe_b64encode(signed).rstrip(b"=").decode()


def cursors_for(settings: Settings) -> Cursors:
    """Return the cursors of all processes with these settings.

    The key comes from HEADWAY_CURSOR_SECRET, else from HEADWAY_AUTH_SECRET. Where neither is set (tokens by
    JWKS, or a dev user) it comes from the table's name, so that every process still reads the others'
    cursors. Such a key can be guessed, and what a guesser gains is a place in a list of his own: whose jobs
    are read is never the cursor's to say.
    """
    secret = settings.cursor_secret or settings.auth_secret or f"table {settings.table}"
    return Cursors(hmac.digest(secret.encode(), b"headway list cursor", "sha256"))
