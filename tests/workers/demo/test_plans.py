import itertools
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from workers.demo.media import drawn_shelf, forget_files, make_file, prepare
from workers.demo.pictures import KINDS, SIZES
from workers.demo.plans import KEPT_SECONDS, Plan, Shelf, first_item, interrupted, plan_job, stamped, steps
from workers.demo.prompts import SUBJECTS
from workers.demo.simulate import typed

ATTRIBUTES = {
    "job_id",
    "user_id",
    "status",
    "stage",
    "prompt",
    "title",
    "duration",
    "aspect_ratio",
    "thumbnail_url",
    "audio_url",
    "scenes_completed",
    "scenes_total",
    "scene_video_urls",
    "scenes",
    "metadata",
    "video_key",
    "video_url",
    "error_message",
    "created_at",
    "updated_at",
    "completed_at",
    "ttl",
}
FINAL = {"completed", "failed"}

seeds = st.integers(0, 2**32)
all_plans = st.builds(
    plan_job,
    seed=seeds,
    number=st.integers(0, 10_000),
    users=st.just(("ann", "bob")),
    failures=st.sampled_from((0, 0.5, 1)),
)
shelves = st.sampled_from((Shelf(), drawn_shelf("/media")))
pauses = st.lists(st.integers(0, 90), min_size=40, max_size=40)


def states(plan: Plan, shelf: Shelf, waits: list[int]) -> list[dict[str, Any]]:
    """Every state of a job's item, the first one first."""
    now = 1_700_000_000
    found = [first_item(plan, now)]
    for step, wait in zip(steps(plan, shelf), waits, strict=False):
        now += wait
        found.append(found[-1] | stamped(step.changes, now))
    return found


def stages(scenes: int) -> list[str]:
    each = [f"scene_{number}_{what}" for number in range(1, scenes + 1) for what in ("generating", "complete")]
    end = ["audio_generating", "audio_complete", "composing", "complete"]
    return ["script_generating", "script_complete", *each, *end]


@given(plan=all_plans, shelf=shelves, waits=pauses)
def test_stages_come_in_their_order_up_to_the_one_that_fails(plan: Plan, shelf: Shelf, waits: list[int]) -> None:
    seen = [state["stage"] for state in states(plan, shelf, waits) if state["status"] != "pending"]
    expected = stages(len(plan.scenes))
    if plan.fails_at:
        expected = [*expected[: expected.index(plan.fails_at) + 1], plan.fails_at]
    assert seen == expected


@given(plan=all_plans, shelf=shelves, waits=pauses)
def test_a_job_is_pending_then_processing_and_its_final_status_is_its_last(
    plan: Plan, shelf: Shelf, waits: list[int]
) -> None:
    statuses = [state["status"] for state in states(plan, shelf, waits)]
    final = "failed" if plan.fails_at else "completed"
    assert [status for status, _ in itertools.groupby(statuses)] == ["pending", "processing", final]
    assert statuses.count(final) == 1


@given(plan=all_plans, shelf=shelves, waits=pauses)
def test_scenes_completed_never_falls_and_ends_at_the_total(plan: Plan, shelf: Shelf, waits: list[int]) -> None:
    seen = states(plan, shelf, waits)
    counts = [state.get("scenes_completed", 0) for state in seen]
    assert counts == sorted(counts)
    assert all(len(state.get("scene_video_urls", ())) == count for state, count in zip(seen, counts, strict=True))
    if not plan.fails_at:
        assert counts[-1] == seen[-1]["scenes_total"] == len(seen[-1]["scenes"])


@given(plan=all_plans, shelf=shelves, waits=pauses)
def test_times_never_go_back_and_are_whole_seconds(plan: Plan, shelf: Shelf, waits: list[int]) -> None:
    seen = states(plan, shelf, waits)
    times = [state["updated_at"] for state in seen]
    assert times == sorted(times)
    assert {type(time) for time in times} == {int}
    assert seen[0]["created_at"] == times[0]
    assert seen[-1].get("completed_at") == (None if plan.fails_at else times[-1])


@given(plan=all_plans, shelf=shelves)
def test_every_url_that_is_named_is_of_a_file_made_before(plan: Plan, shelf: Shelf) -> None:
    made: set[str] = set()
    for step in steps(plan, shelf):
        made |= {f"{shelf.url}/{plan.job_id}/{name}" for name in step.files}
        named = {step.changes[name] for name in ("thumbnail_url", "audio_url", "video_url") if name in step.changes}
        assert named | set(step.changes.get("scene_video_urls", ())) <= made


@given(plan=all_plans, shelf=shelves, waits=pauses)
def test_an_item_has_no_attribute_but_those_of_existing_writers_and_survives_the_table(
    plan: Plan, shelf: Shelf, waits: list[int]
) -> None:
    for state in states(plan, shelf, waits):
        assert set(state) <= ATTRIBUTES
        assert {name: TypeDeserializer().deserialize(value) for name, value in typed(state).items()} == state


@given(plan=all_plans)
def test_a_job_fails_with_a_message_that_is_ready_to_be_read(plan: Plan) -> None:
    last = list(steps(plan, Shelf()))[-1].changes
    assert bool(plan.fails_at) == (last["status"] == "failed")
    assert "{" not in last.get("error_message", "")
    assert "{" not in plan.prompt
    if plan.fails_at:
        assert last["error_message"] == plan.error_message


def test_an_interrupted_job_is_a_failed_one() -> None:
    changes = stamped(interrupted().changes, 7)
    assert changes["status"] == "failed"
    assert changes["error_message"]
    assert "completed_at" not in changes


def test_about_as_many_jobs_fail_as_asked_and_a_mean_step_weighs_about_one() -> None:
    many = [plan_job(1, number, ("ann",), 1 / 8) for number in range(2000)]
    weights = [step.weight for plan in many for step in steps(plan, Shelf())]
    assert 0.1 < sum(bool(plan.fails_at) for plan in many) / len(many) < 0.15
    assert 0.9 < sum(weights) / len(weights) < 1.1
    assert min(weights) > 0


def test_jobs_differ_and_the_same_seed_gives_the_same_ones() -> None:
    many = [plan_job(1, number, ("ann",), 0.1) for number in range(1000)]
    assert many == [plan_job(1, number, ("ann",), 0.1) for number in range(1000)]
    assert len({plan.job_id for plan in many}) == 1000
    assert len({plan.prompt for plan in many}) > 500
    assert {len(plan.scenes) for plan in many} == {1, 2, 3, 4, 5, 6}
    assert {plan.aspect_ratio for plan in many} == set(SIZES)


def test_every_subject_has_a_scenery_that_can_be_drawn() -> None:
    assert {subject.scenery for subject in SUBJECTS} == set(KINDS)


@pytest.mark.parametrize("number", range(3))
def test_every_file_of_a_job_can_be_made_and_forgotten(tmp_path: Path, number: int) -> None:
    plan = plan_job(5, number, ("ann",), 0)
    names = [name for step in steps(plan, drawn_shelf("/media")) for name in step.files]
    for name in names:
        make_file(tmp_path, plan, name)
    assert {path.name for path in (tmp_path / plan.job_id).iterdir()} == set(names)
    forget_files(tmp_path, plan.job_id)
    forget_files(tmp_path, plan.job_id)
    assert not list(tmp_path.iterdir())


def test_preparing_clears_what_old_jobs_left_and_nothing_else(tmp_path: Path) -> None:
    mine, other = tmp_path / "job_0123456789ab", tmp_path / "holiday"
    mine.mkdir()
    other.mkdir()
    written = mine.stat().st_mtime
    prepare(tmp_path, written + KEPT_SECONDS - 1)
    assert mine.exists()
    prepare(tmp_path, written + KEPT_SECONDS + 1)
    assert list(tmp_path.iterdir()) == [other]
