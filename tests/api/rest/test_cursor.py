"""Cursors come back from outside, and where no secret is set anybody can sign one."""

from contextlib import suppress
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer
from itsdangerous.encoding import base64_decode, base64_encode
from msgspec import json

from api.errors import ParameterRefused
from api.rest.cursor import Cursors
from streams.jobs.item import LARGEST
from streams.jobs.selection import SORTS, Order, Place, Selection, Span

KEY = b"a key"
CURSORS = Cursors(KEY)
MINE = Selection("ann", ("failed",), Span(0, 10), ("sea",))
YOUNGEST = Order()
PLACE = Place(1_700_000_003, "job_123")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


def forged(body: bytes) -> str:
    """Sign what the key's owner would never write."""
    signer = Signer(KEY, salt=b"headway list cursor", key_derivation="hmac", digest_method=sha256)
    return signer.sign(base64_encode(body)).decode()


def made_for(order: Order) -> str:
    """Return what a cursor says of its list: no secret, for every cursor of that list shows it."""
    written = CURSORS.write(MINE, order, 2, PLACE)
    name: str = json.decode(base64_decode(written.partition(".")[0]))[0]
    return name


def refused(cursor: str, selection: Selection = MINE, order: Order = YOUNGEST) -> str:
    with pytest.raises(ParameterRefused) as error:
        CURSORS.read(cursor, selection, order)
    assert error.value.parameter == "cursor"
    return str(error.value)


@given(st.integers(1, LARGEST), st.integers(-LARGEST, LARGEST), st.text(min_size=1, max_size=500))
def test_what_is_written_is_read(page: int, second: int, job_id: str) -> None:
    place = Place(second, job_id)
    assert CURSORS.read(CURSORS.write(MINE, YOUNGEST, page, place), MINE, YOUNGEST) == (page, place)


@given(st.data())
def test_a_cursor_of_which_a_character_was_changed_is_refused(data: st.DataObject) -> None:
    cursor = CURSORS.write(MINE, YOUNGEST, 2, PLACE)
    at = data.draw(st.integers(0, len(cursor)))
    instead = data.draw(st.text(st.characters(codec="utf-8"), max_size=2))
    changed = cursor[:at] + instead + cursor[at + 1 :]
    if changed != cursor:
        assert "not one of ours, or changed" in refused(changed)


@given(st.text())
def test_any_text_at_all_is_refused(text: str) -> None:
    assert "not one of ours" in refused(text)


@pytest.mark.parametrize(
    ("selection", "order"),
    [
        (Selection("bob", ("failed",), Span(0, 10), ("sea",)), YOUNGEST),
        (Selection("ann", (), Span(0, 10), ("sea",)), YOUNGEST),
        (Selection("ann", ("failed",), Span(0, 11), ("sea",)), YOUNGEST),
        (Selection("ann", ("failed",), Span(0, 10)), YOUNGEST),
        (MINE, Order("created_at", descending=False)),
        (MINE, Order("updated_at")),
    ],
)
def test_a_cursor_is_good_for_its_list_alone(selection: Selection, order: Order) -> None:
    assert "made for other filters" in refused(CURSORS.write(MINE, YOUNGEST, 2, PLACE), selection, order)


@given(st.sampled_from(sorted(SORTS)), anything, anything)
def test_no_signature_makes_a_place_of_what_is_none(by: str, page: Any, place: Any) -> None:
    order = Order(by)
    with suppress(ParameterRefused):
        number, read = CURSORS.read(forged(json.encode([made_for(order), page, place])), MINE, order)
        assert type(number) is int
        assert 1 <= number <= LARGEST
        assert order.accepts(read)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"\xff",
        b'"\xff"',
        b"null",
        b"{}",
        b"[" * 20_000,
        b'["x",2,[' + b"[" * 9_000,
        b'["\\ud800",2,[1,"a"]]',
    ],
)
def test_no_signature_makes_a_cursor_of_what_is_none(body: bytes) -> None:
    assert refused(forged(body))


@pytest.mark.parametrize("page", ["0", "-1", "true", '"2"', "1.5", "null", str(2**53 + 1), "9" * 400])
def test_the_number_of_a_page_is_one(page: str) -> None:
    assert "of another version" in refused(forged(b'["%s",%s,[1,"a"]]' % (made_for(YOUNGEST).encode(), page.encode())))
