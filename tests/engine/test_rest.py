"""The list and single jobs over real HTTP: whose they are, and what a wrong request is told."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import jwt
import pytest

from tests.support.stack import SECRET, Api, Stack, bearer

Headers = dict[str, str]


def listed(api: Api, user: str, query: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = api.get(f"/jobs{query}", user).raise_for_status().json()
    return answer


def test_the_list_holds_the_callers_jobs_the_youngest_first(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    for number in range(5):
        stack.put(f"{user} {number}", user, created_at=1000 + number)
    stack.put(f"{user} other", "somebody else")
    page = listed(server, user, "?page_size=2&page=2")
    assert [job["job_id"] for job in page["jobs"]] == [f"{user} 2", f"{user} 1"]
    assert (page["total_count"], page["page"], page["page_size"]) == (5, 2, 2)
    assert listed(server, user, "?page=4") == {"jobs": [], "total_count": 5, "page": 4, "page_size": 20}


def test_a_page_is_full_though_most_jobs_do_not_match(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    for number in range(30):
        stack.put(f"{user} {number}", user, created_at=number, status="failed" if number % 5 == 0 else "completed")
    page = listed(server, user, "?status=failed&page_size=4")
    assert [job["job_id"] for job in page["jobs"]] == [f"{user} {number}" for number in (25, 20, 15, 10)]
    assert page["total_count"] == 6
    assert listed(server, user, "?status=failed,completed&status=pending")["total_count"] == 30


def test_a_job_looks_as_the_document_that_the_project_comes_from_shows_it(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    stack.client.put_item(
        TableName=stack.table,
        Item={
            "job_id": {"S": user},
            "user_id": {"S": user},
            "status": {"S": "processing"},
            "stage": {"S": "scene_2_complete"},
            "thumbnail_url": {"S": "https://s3.example/thumbnail.jpg"},
            "scenes_completed": {"N": "2"},
            "scene_video_urls": {
                "L": [{"S": "https://s3.example/scene_1.mp4"}, {"S": "https://s3.example/scene_2.mp4"}]
            },
            "prompt": {"S": "Create a 30s ad for..."},
            "duration": {"N": "30"},
            "created_at": {"N": "1700000000"},
            "updated_at": {"N": "1700000123"},
            "ttl": {"N": "1800000000"},
            "internal_notes": {"M": {"secret": {"S": "not for the public"}}},
        },
    )
    expected = (
        '{"job_id":"%s","status":"processing","stage":"scene_2_complete","progress_percent":66,'
        '"thumbnail_url":"https://s3.example/thumbnail.jpg","scenes_completed":2,'
        '"scene_video_urls":["https://s3.example/scene_1.mp4","https://s3.example/scene_2.mp4"],'
        '"prompt":"Create a 30s ad for...","duration":30,"created_at":1700000000,"updated_at":1700000123}'
    )
    assert server.get(f"/jobs/{user}", user).text == expected % user
    assert server.get("/jobs", user).text == '{"jobs":[%s],"total_count":1,"page":1,"page_size":20}' % (expected % user)


@pytest.mark.parametrize("path", ["/jobs/{}", "/jobs/{}/events"])
def test_anothers_job_looks_as_one_that_does_not_exist(api: tuple[Stack, Api], user: str, path: str) -> None:
    """Invariant 6."""
    stack, server = api
    stack.put(user, "somebody else")
    theirs = server.get(path.format(user), user)
    nobodys = server.get(path.format("no such job"), user)
    assert (theirs.status_code, theirs.content) == (404, nobodys.content)
    assert theirs.headers["content-type"] == nobodys.headers["content-type"] == "application/problem+json"
    assert listed(server, user)["jobs"] == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("status=done", "status"),
        ("status=completed,done", "status"),
        ("page_size=0", "page_size"),
        ("page_size=101", "page_size"),
        ("page_size=abc", "page_size"),
        ("page=0", "page"),
        ("page=1.5", "page"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(api: tuple[Stack, Api], user: str, query: str, parameter: str) -> None:
    answer = api[1].get(f"/jobs?{query}", user)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["parameter"]) == (400, parameter)
    assert parameter in problem["detail"]
    assert problem["allowed"]


@pytest.mark.parametrize("job_id", ["x" * 3000, "%00", "tab%09tab", "line%0Abreak", "%1b[2J"])
@pytest.mark.parametrize("path", ["/jobs/{}", "/jobs/{}/events"])
def test_an_impossible_job_id_is_refused(api: tuple[Stack, Api], user: str, path: str, job_id: str) -> None:
    answer = api[1].get(path.format(job_id), user)
    assert answer.status_code == 400
    assert answer.json()["parameter"] == "job_id"


@pytest.mark.parametrize("name", ["a/b", "100% %2F", "nb\u00a0sp", "ü☃\u200d", "a b", "a?b#c"])
def test_a_job_that_the_list_shows_can_be_opened_whatever_its_id(api: tuple[Stack, Api], user: str, name: str) -> None:
    stack, server = api
    job_id = f"{user} {name}"
    stack.put(job_id, user, status="completed")
    assert server.get(f"/jobs/{quote(job_id, '')}", user).json()["job_id"] == job_id
    events = server.get(f"/jobs/{quote(job_id, '')}/events", user).text
    assert "event: done" in events


def token(key: str = SECRET, **claims: object) -> Headers:
    return {"Authorization": f"Bearer {jwt.encode(claims, key, 'HS256')}"}


@pytest.mark.parametrize(
    "headers",
    [
        dict,
        lambda: {"Authorization": "Bearer broken"},
        lambda: {"Authorization": "Basic abc"},
        lambda: token(sub="u", exp=int(time.time()) - 60),
        lambda: token("another key that is as long as the real one", sub="u", exp=int(time.time()) + 60),
        lambda: token(sub="u"),
        lambda: token(exp=int(time.time()) + 60),
        lambda: {"Cookie": "__Host-session=broken"},
    ],
)
@pytest.mark.parametrize("path", ["/jobs", "/jobs/x", "/jobs/x/events", "/jobs/events"])
def test_nobody_is_let_in_without_a_token_that_holds(
    api: tuple[Stack, Api], headers: Callable[[], Headers], path: str
) -> None:
    answer = httpx.get(f"{api[1].url}/api/v1{path}", headers=headers())
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["status"] == 401


def test_the_cookie_lets_in_as_the_header_does(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    stack.put(user, user)
    cookie = bearer(user)["Authorization"].removeprefix("Bearer ")
    answer = httpx.get(f"{server.url}/api/v1/jobs/{user}", headers={"Cookie": f"__Host-session={cookie}"})
    assert answer.json()["job_id"] == user


def test_items_that_are_no_jobs_are_left_out_and_wrong_attributes_with_them(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    stack.put(f"{user} 1", user, scenes_completed="many", prompt="kept")
    stack.put(f"{user} 2", user, status=None)
    stack.client.put_item(TableName=stack.table, Item={"job_id": {"S": f"{user} 3"}})
    assert [job["prompt"] for job in listed(server, user)["jobs"]] == ["kept"]
    assert "scenes_completed" not in server.get(f"/jobs/{user} 1", user).json()
    assert server.get(f"/jobs/{user} 2", user).status_code == 404
    assert server.get(f"/jobs/{user} 3", user).status_code == 404


def test_whatever_has_no_handler_is_a_problem_too(api: tuple[Stack, Api], user: str) -> None:
    server = api[1]
    assert server.get("/nothing", user).headers["content-type"] == "application/problem+json"
    answer = httpx.post(f"{server.url}/api/v1/jobs", headers=bearer(user))
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")


def test_a_problem_is_named_by_its_status_and_nobody_stores_it(api: tuple[Stack, Api], user: str) -> None:
    url = f"{api[1].url}/api/v1/jobs"
    refused = [httpx.get(url), httpx.post(url, headers=bearer(user)), api[1].get("/jobs/none", user)]
    assert [answer.json()["title"] for answer in refused] == [answer.reason_phrase for answer in refused]
    for answer in refused:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_probes_and_metrics_answer(api: tuple[Stack, Api]) -> None:
    url = api[1].url
    assert httpx.get(f"{url}/health/live").status_code == 200
    assert httpx.get(f"{url}/health/ready").status_code == 200
    assert "headway_items_refused_total" in httpx.get(f"{url}/metrics").text
    assert "/api/v1/jobs/{job_id}/events" in httpx.get(f"{url}/openapi.json").json()["paths"]
