"""What the page calls things, asked of its own modules in the browser."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.visitor import Visitor

pytestmark = pytest.mark.parametrize("aws", ["ministack"], indirect=True)

NOW = 1_700_000_000


def job(**attributes: Any) -> dict[str, Any]:
    return {
        "job_id": "j",
        "status": "processing",
        "progress_percent": 0,
        "created_at": NOW,
        "updated_at": NOW,
    } | attributes


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor.open("/client/README.md", is_live=False)


def said(page: Page, module: str, name: str, *arguments: Any) -> Any:
    return page.evaluate(
        "async ([module, name, given]) => (await import(module))[name](...given)",
        [f"/page/{module}.js", name, arguments],
    )


def test_stages_are_said_in_words(page: Page) -> None:
    scenes = {"scenes_total": 3, "scenes_completed": 1}
    words = {
        "Writing the script": job(stage="script_generating"),
        "Making scene 2 of 3": job(stage="scene_2_generating", **scenes),
        "Scene 2 of 3 ready": job(stage="scene_2_complete"),
        "Scene 7 of 7 ready": job(stage="scene_7_complete"),
        "Making the audio": job(stage="audio_generating"),
        "Putting it all together": job(stage="composing"),
        "Upscaling to 4k": job(stage="upscaling_to_4k"),
        "Processing": job(),
        "Paused by somebody": job(status="paused_by_somebody"),
        "In the queue": job(status="pending", stage="scene_1_generating"),
        "Done": job(status="completed", stage="complete"),
        "Failed while making scene 2 of 3": job(status="failed", stage="scene_2_generating", **scenes),
        "Failed": job(status="failed", stage="scene_1_complete"),
    }
    assert {said(page, "words", "stageOf", one): one for one in words.values()} == words


def test_scenes_are_told_apart(page: Page) -> None:
    def states(**attributes: Any) -> str:
        return " ".join(said(page, "words", "scenes", job(**attributes)))

    assert states(scenes_total=4, scenes_completed=1, stage="scene_2_generating") == "done now next next"
    assert states(scenes_completed=2, status="failed", stage="scene_3_generating") == "done done failed"
    assert states(stage="scene_1_generating") == "now next next"
    assert states(stage="script_generating") == ""  # nobody has said yet how many there will be
    assert states(scenes_completed=2, status="completed") == "done done"
    assert states(scenes_total=3, scenes_completed=2, status="completed") == "done done done"
    assert states(scenes_total=50).count("next") == 50
    assert states(scenes_total=51) == ""  # too many to be told apart


@pytest.mark.parametrize(
    ("attributes", "seconds", "words"),
    [
        ({}, 12, "12 s so far"),
        ({"status": "pending"}, 90, "waiting for 1 min 30 s"),
        ({"progress_percent": 50, "updated_at": NOW + 60}, 75, "1 min 15 s so far · about 50 s left"),
        ({"progress_percent": 10, "updated_at": NOW + 60}, 60, "1 min so far · about 9 min left"),
        ({"progress_percent": 33, "updated_at": NOW + 2}, 60, "1 min so far · about 40 s left"),
        ({"progress_percent": 66, "updated_at": NOW + 2}, 6, "6 s so far · about 10 s left"),
        ({"progress_percent": 99, "updated_at": NOW + 60}, 100, "1 min 40 s so far · nearly there"),
        ({"progress_percent": 99, "updated_at": NOW + 60}, 500, "8 min 20 s so far · about 1 min left"),
        ({"status": "completed", "completed_at": NOW + 3600}, 9999, "took 1 h"),
        ({"status": "failed", "updated_at": NOW + 90_000}, 99_999, "after 1 d 1 h"),
        ({"created_at": NOW + 60}, 0, "0 s so far"),
    ],
)
def test_times_are_said_in_words(page: Page, attributes: dict[str, Any], seconds: int, words: str) -> None:
    assert said(page, "words", "timesOf", job(**attributes), NOW + seconds) == words


def test_a_cut_text_ends_in_a_whole_character(page: Page) -> None:
    assert said(page, "safe", "brief", "\U0001f3ac" * 9, 6) == "\U0001f3ac\U0001f3ac…"
    assert said(page, "safe", "brief", " a  b\n", 3) == "a b"


def test_the_address_of_a_view_means_that_view(page: Page) -> None:
    view = {"status": "failed", "q": "a & b", "from": "2023-01-02", "to": "", "sort": "duration"}
    address = said(page, "view", "addressOf", view)
    assert said(page, "view", "viewFrom", address[1:]) == view
    nonsense = "?status=constructor&sort=__proto__&from=yesterday&q=%20"
    assert said(page, "view", "viewFrom", nonsense) == said(page, "view", "viewFrom", "")
