"""The list in plain Python, as its users would describe it: the oracle that the real one is held against."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

STATUSES = ["pending", "processing", "completed", "failed"]
SORTS = ["created_at", "updated_at", "duration", "status", "progress_percent"]
WORDS = ["Sea", "sunset", "STRASSE", "straße", "élan", "a"]

Item = dict[str, Any]


def number(value: float | str) -> dict[str, str]:
    return {"N": str(value)}


times = st.sampled_from(["3", "3", "4", "4.75", "5", "5", "6", "-1", "1E+1", "1E+19"])
texts = st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)

items = st.fixed_dictionaries(
    {"created_at": times.map(number), "updated_at": st.integers(1, 4).map(number)},
    optional={
        "status": st.sampled_from([*STATUSES, "completed", "completed", "paused"]).map(lambda text: {"S": text}),
        "prompt": texts.map(lambda text: {"S": text}),
        "title": texts.map(lambda text: {"S": text}),
        "duration": st.sampled_from([15, 30, 7.5]).map(number),
        "scenes_completed": st.integers(0, 4).map(number),
        "scenes_total": st.integers(0, 4).map(number),
    },
) | st.sampled_from([
    {"created_at": number(4), "status": {"S": "completed"}, "updated_at": {"S": "no number"}},
    {"created_at": number(4), "status": {"S": "completed"}},
    {"created_at": number(5), "status": {"S": "completed"}, "updated_at": number("1E+30")},
])  # fmt: skip


class Query(Struct, frozen=True):
    statuses: tuple[str, ...] = ()
    after: int | None = None
    before: int | None = None
    words: tuple[str, ...] = ()
    sort: str = ""

    @property
    def parameters(self) -> list[tuple[str, Any]]:
        given = {"created_after": self.after, "created_before": self.before, "sort": self.sort}
        given["q"] = " ".join(self.words)
        return [("status", status) for status in self.statuses] + [
            (name, str(value)) for name, value in given.items() if value not in {None, ""}
        ]


# Most leave most things out: what is filtered away tells nothing of order and pages.
nothing = st.just(())
queries = st.builds(
    Query,
    nothing | st.lists(st.sampled_from(STATUSES), min_size=1, unique=True, max_size=4).map(tuple),
    st.none() | st.none() | st.integers(2, 6),
    st.none() | st.none() | st.integers(3, 7),
    nothing | nothing | st.lists(st.sampled_from(["sea", "SUN", "strasse", "Élan"]), min_size=1, max_size=2).map(tuple),
    st.sampled_from(["", "created_at", "-created_at"]) | st.sampled_from([*SORTS, *(f"-{name}" for name in SORTS)]),
)
queries_by_time = st.tuples(queries, st.sampled_from(["", "created_at"])).map(
    lambda both: replace(both[0], sort=both[1])
)
job_lists = st.lists(items, min_size=6, max_size=24)
page_sizes = st.sampled_from([1, 2, 3, 5])


def expected(jobs: Mapping[str, Item], query: Query) -> list[str]:
    """Return the ids of the jobs that the list shows, in its order."""
    shown = [job_id for job_id, item in jobs.items() if _is_job(item) and _matches(item, query)]
    sort = query.sort or "-created_at"
    name = sort.removeprefix("-")
    return sorted(shown, key=lambda job_id: (_rank(jobs[job_id], name), job_id), reverse=sort.startswith("-"))


def _is_job(item: Item) -> bool:
    times = [item.get(name, {}).get("N") for name in ("created_at", "updated_at")]
    return "status" in item and all(time is not None and abs(float(time)) < 1e15 for time in times)


def _matches(item: Item, query: Query) -> bool:
    created = _number(item, "created_at")
    text = f"{item.get('prompt', {}).get('S', '')}\n{item.get('title', {}).get('S', '')}".casefold()
    return (
        (not query.statuses or item["status"]["S"] in query.statuses)
        and (query.after is None or created >= query.after)
        and (query.before is None or created < query.before)
        and all(word.casefold() in text for word in query.words)
    )


def _rank(item: Item, name: str) -> float | str:
    if name == "status":
        return str(item["status"]["S"])
    return _percent(item) if name == "progress_percent" else _number(item, name) // (1 if name != "duration" else 1e-9)


def _percent(item: Item) -> int:
    if item["status"]["S"] in {"completed", "pending"}:
        return 100 if item["status"]["S"] == "completed" else 0
    done = int(_number(item, "scenes_completed"))
    return min(99, 100 * done // max(int(_number(item, "scenes_total")) or 3, done))


def _number(item: Item, name: str) -> float:
    return float(item.get(name, {"N": "0"})["N"])
