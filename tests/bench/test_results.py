"""What `make bench` says of its figures."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import page, plots, results
from bench.machine import this_machine
from bench.plan import MODULES, chosen
from bench.report import Bars, Figure, Report, at_least, at_most
from bench.results import Part, Parts


def parts(*figures: Figure) -> Parts:
    report = Report("A title", ["a"], [["1"]], "seen", figures)
    return {"latency": Part("2026-11-24T10:00:00+00:00", "abc", this_machine(), 0.1, 1.0, [report])}


def ratio(value: float, **about: object) -> Figure:
    return Figure("cpu", value, "×", peer="a peer", **about)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "word"),
    [(ratio(1.3), "WORSE"), (ratio(0.7), "better"), (ratio(1.3, better="higher"), "better"), (ratio(1.24), "")],
)
def test_a_ratio_is_told_only_where_it_moved_by_more_than_noise(now: Figure, word: str) -> None:
    told = [line for line in results.compared(parts(now), parts(ratio(1.0))) if "cpu:" in line]
    assert [line.split()[0] for line in told] == ([word] if word else [])


def test_times_are_not_compared_but_held_against_what_was_asked() -> None:
    slow = Figure("latency", 900, "ms", at_most(400))
    told = "\n".join(results.compared(parts(slow), parts(Figure("latency", 50, "ms"))))
    assert "WORSE" not in told
    assert "MISSED  latency" in told


def test_a_ratio_that_was_not_measured_is_counted() -> None:
    assert "1 of the baseline not measured now" in "\n".join(results.compared(parts(), parts(ratio(1.0))))


@pytest.mark.parametrize(("wanted", "held"), [(at_most(2), True), (at_most(1), False), (at_least(2), False)])
def test_a_verdict_says_what_was_asked_and_whether_it_held(wanted: object, held: bool) -> None:
    verdict = Figure("a", 1.5, "s", wanted).verdict  # type: ignore[arg-type]
    assert verdict.endswith("held" if held else "MISSED")


def test_results_are_read_as_they_were_saved(tmp_path: Path) -> None:
    found = parts(ratio(1.5, wanted=at_most(2)))
    results.save(found, tmp_path / "new" / "latest.json")
    assert results.figures_of(results.read(tmp_path / "new" / "latest.json")) == results.figures_of(found)
    assert results.read(tmp_path / "none.json") == {}


def test_a_failed_part_is_no_baseline() -> None:
    failed = parts(ratio(1.0))
    failed["latency"].failed = "ended with code 1"
    assert results.figures_only(failed) == {}


def test_the_page_keeps_what_people_wrote_around_the_marks() -> None:
    written = page.written(f"before {page.BEGIN} old {page.END} after", parts(ratio(1.5, wanted=at_most(2))))
    assert written.startswith("before ")
    assert written.endswith(" after")
    assert "old" not in written
    assert "| cpu | 1.5 × a peer | ≤ 2 ×: held |" in written


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the marks"):
        page.written("no marks", parts())


def test_a_plot_is_xml_whatever_the_names_and_has_a_bar_per_value() -> None:
    drawn = plots.svg(
        Bars("a", "A < B & C", "ms", ["one", "two"], {"Headway": [1, 1000], "<a peer>": [0, None]}, log=True)
    )
    bars = [each for each in ET.fromstring(drawn).iter() if each.get("class") in {"ours", "other"}]  # noqa: S314 - our own
    assert len(bars) == 3
    assert float(bars[1].get("width") or 0) < float(bars[2].get("width") or 0)


def test_naming_a_part_measures_all_that_is_said_of_it() -> None:
    assert chosen(["hub"]) == [["hub"], ["churn"]]
    assert sorted(part for group in chosen([]) for part in group) == sorted(MODULES)
