import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from api.http.heads import Heads

BYTES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n\r\n", b"GET / HTTP/1.1", b"x"])).map(b"".join)


@given(BYTES, st.lists(st.integers(0, 60)))
def test_heads_are_the_same_however_the_bytes_came(sent: bytes, cuts: list[int]) -> None:
    heads, taken, sizes = Heads(), [b""], [0]
    cut = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    for start, stop in pairwise(cut):
        heads.add(sent[start:stop])
        while heads:
            taken[-1] += heads.take()
            sizes.append(heads.size)
            if heads.size == 0:
                taken.append(b"")
    assert b"".join(taken) == sent
    assert [head for head in taken if head] == re.findall(rb"(?s:.*?\r\n\r\n|.+)", sent)
    assert sizes[-1] == len(taken[-1])


def test_many_heads_cost_no_more_than_their_bytes() -> None:
    """A client may send thousands at once, and they are taken one at a time."""
    heads = Heads()
    heads.add(b"GET / HTTP/1.1\r\n\r\n" * 200_000)
    assert sum(1 for _ in iter(heads.take, b"")) == 200_000


def test_what_is_forgotten_is_not_taken() -> None:
    heads = Heads()
    heads.add(b"GET /\r\n\r")
    heads.take()
    heads.add(b"\nGET /")
    heads.clear()
    assert not heads
    heads.add(b"\n")
    assert heads.take() == b"\n"
    assert heads.size == 0
