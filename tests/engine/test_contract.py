"""The API against its own description, and what every answer promises."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.stack import Api, Stack, bearer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SERVED = {
    *("/api/v1/jobs", "/api/v1/jobs/{job_id}", "/api/v1/jobs/events", "/api/v1/jobs/{job_id}/events"),
    *("/health/live", "/health/ready", "/metrics"),
}
FROM_ELSEWHERE = re.compile(r"""(src=|href=|url\(|from |import ?|fetch)\(?["'`]?(https?:)?//[^ ]""")


@pytest.fixture(scope="module")
def client(api: tuple[Stack, Api]) -> Iterator[tuple[Stack, httpx.Client]]:
    stack, server = api
    stack.put("job_123", "contract", title="known")
    with httpx.Client(base_url=server.url, headers=bearer("contract"), timeout=10) as client:
        yield stack, client


@pytest.fixture(scope="module")
def operations(client: tuple[Stack, httpx.Client]) -> dict[str, Any]:
    """What the api says that it does."""
    described = schemathesis.openapi.from_dict(client[1].get("/openapi.json").json())
    return {found.ok().path: found.ok() for found in described.get_all_operations() if isinstance(found, Ok)}


def answered(client: httpx.Client, case: schemathesis.Case[Any]) -> Response:
    """Ask; of an endless answer only the head is read."""
    asked = case.as_transport_kwargs(base_url=str(client.base_url))
    headers = dict(asked["headers"] or {}) | bearer("contract")
    try:
        request = client.build_request(asked["method"], asked["url"], params=asked.get("params"), headers=headers)
        with_stream = client.send(request, stream=True)
    except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError):
        reject()  # what no client can send
    try:
        endless = with_stream.headers.get("content-type", "").startswith("text/event-stream")
        body = b"" if endless else with_stream.read()
    finally:
        with_stream.close()
    whole = httpx.Response(with_stream.status_code, headers=with_stream.headers, content=body, request=request)
    whole.elapsed = with_stream.elapsed
    return Response.from_httpx(whole, verify=True)


@pytest.mark.parametrize("path", sorted(SERVED))
def test_no_request_is_answered_with_a_failure_or_in_an_undocumented_way(
    client: tuple[Stack, httpx.Client], operations: dict[str, Any], path: str
) -> None:
    operation = operations[path]
    modes = schemathesis.GenerationMode

    @settings(
        max_examples=40,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from([modes.POSITIVE, modes.NEGATIVE] if operation.query else [modes.POSITIVE]))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.validate_response(answered(client[1], case), checks=CHECKS)

    ask()


def test_every_address_of_the_api_is_described_and_every_described_one_is_there(
    client: tuple[Stack, httpx.Client],
) -> None:
    described = client[1].get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert set(described["paths"]) == SERVED
    for path in set(described["paths"]) - {"/api/v1/jobs/events"}:
        assert client[1].get(path.replace("{job_id}", "nothing")).status_code in {200, 404}
    for path in ("/api/v1/jobs/events", "/api/v1/jobs/{job_id}/events"):
        assert "text/event-stream" in described["paths"][path]["get"]["responses"]["200"]["content"]


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/jobs?status=processing&page_size=1", "/api/v1/jobs/job_123"])
def test_who_has_the_answer_already_is_told_so_until_it_changes(client: tuple[Stack, httpx.Client], path: str) -> None:
    stack, caller = client
    first = caller.get(path)
    assert first.headers["cache-control"] == "private, no-cache"
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for known in (tag, f'"another", {tag}', f"W/{tag}", "*"):
        again = caller.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == "private, no-cache"
    twice = caller.get(path, headers=[("If-None-Match", '"another"'), ("If-None-Match", tag)])
    assert twice.status_code == 304
    assert caller.get(path, headers={"If-None-Match": '"another"'}).content == first.content
    stack.put("job_123", "contract", title=f"changed after {tag}")
    changed = caller.get(path, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("sort=size", "sort"),
        ("sort=--created_at", "sort"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-11-23T08:30:00", "created_after"),
        ("created_before=99999999999999999", "created_before"),
        ("created_before=2026-02-30T00:00:00Z", "created_before"),
        ("created_after=1.5", "created_after"),
        (f"q={'x' * 201}", "q"),
        ("page=2&page=3", "page"),
        ("pagesize=3", "pagesize"),
        ("page=101&page_size=100", "page"),
        (f"page={'9' * 5000}", "page"),
        ("page_size=٣", "page_size"),
        ("cursor=abc", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=ä", "cursor"),
        ("cursor=abc&page=2", "page"),
        (f"cursor={'A' * 30_000}", "cursor"),
        ("q=%ff", "q"),
        ("q=%ed%a0%80", "q"),
        ("%ff=1", "?"),
        ("created_after=2026-11-23T08:30.5Z", "created_after"),
        ("created_after=2026-11-23T08:30:00%2B24:00", "created_after"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(client: tuple[Stack, httpx.Client], query: str, parameter: str) -> None:
    answer = client[1].get(f"/api/v1/jobs?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    problem = answer.json()
    assert problem["parameter"] == parameter
    assert problem["allowed"]
    assert len(problem["detail"]) < 500


def test_a_cursor_is_good_for_its_list_alone(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    for number in range(3):
        stack.put(f"{user} {number}", user, created_at=number)
        stack.put(f"{user} x{number}", f"{user} x", created_at=number)
    cursor = server.get("/jobs?page_size=1", user).json()["next_cursor"]
    assert server.get(f"/jobs?page_size=2&cursor={cursor}", user).json()["jobs"][0]["created_at"] == 1
    other_process = stack.start_api()
    assert other_process.get(f"/jobs?page_size=1&cursor={cursor}", user).status_code == 200
    signed_by_another = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for query, asking in [
        (f"cursor={cursor}&status=processing", user),
        (f"cursor={cursor}&sort=created_at", user),
        (f"cursor={cursor}&q=x", user),
        (f"cursor={cursor}", f"{user} x"),
        (f"cursor={signed_by_another}", user),
        (f"cursor={cursor[:-1]}", user),
        (f"cursor={cursor[:8]}!!!!{cursor[8:]}", user),
        (f"cursor={cursor}%3D%3D", user),
    ]:
        answer = server.get(f"/jobs?{query}", asking)
        assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")


def test_times_are_inclusive_after_and_exclusive_before_in_either_spelling(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    for second in (1_700_000_000, 1_700_000_001, 1_700_000_002):
        stack.put(f"{user} {second}", user, created_at=second)

    def found(**asked: Any) -> list[int]:
        answer = server.get("/jobs", user, params=asked).raise_for_status().json()
        return [job["created_at"] % 10 for job in answer["jobs"]]

    assert found(created_after=1_700_000_001) == [2, 1]
    assert found(created_before=1_700_000_001) == [0]
    assert found(created_after="2023-11-14T22:13:21Z", created_before="2023-11-14T23:13:22+01:00") == [1]
    assert found(created_after="2023-11-14T22:13:20.5Z") == [2, 1]
    assert found(created_after="2023-11-14T22:13:20.000000001Z") == [2, 1]
    assert found(created_after="2023-11-15T03:13:21+05") == found(created_after="2023-11-14t10:13:21-1200") == [2, 1]
    assert found(created_after=5, created_before=5) == []
    assert found(status="", q="", created_after="", sort="", page="", page_size="", cursor="") == [2, 1, 0]


def test_a_word_is_found_in_whatever_case_and_however_its_accents_are_written(
    api: tuple[Stack, Api], user: str
) -> None:
    stack, server = api
    stack.put(f"{user} composed", user, prompt="Ein Caf\u00c9 an der STRASSE")
    stack.put(f"{user} apart", user, title="cafe\u0301 \u03a3\u03b9\u03c3\u03c5\u03c6\u03bf\u03c2")

    def found(q: str) -> set[str]:
        jobs = server.get("/jobs", user, params={"q": q}).raise_for_status().json()["jobs"]
        return {job["job_id"].removeprefix(f"{user} ") for job in jobs}

    assert found("caf\u00e9") == found("CAFE\u0301") == {"composed", "apart"}
    assert found("stra\u00dfe CAF") == {"composed"}
    assert found("\u03a3\u0399\u03a3\u03a5\u03a6\u039f\u03a3") == {"apart"}
    assert found("z" * 200) == set()


def test_the_next_page_is_found_behind_a_proxy_with_a_path_of_its_own(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    for number in range(3):
        stack.put(f"{user} {number}", user, created_at=number, title="\u00e9 & +")
    answer = server.get("/jobs", user, params={"page_size": 1, "q": "\u00e9 & +", "page": 1})
    seen_by_the_client = urljoin("https://example.org/headway/api/v1/jobs?page=1", answer.links["next"]["url"])
    path, _, query = seen_by_the_client.partition("?")
    assert path == "https://example.org/headway/api/v1/jobs"
    following = server.get(f"/jobs?{query}", user).raise_for_status().json()
    assert ([job["created_at"] for job in following["jobs"]], following["page"]) == ([1], 2)


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/jobs/job_123", "/api/v1/jobs/unknown"])
def test_head_answers_as_get_does_without_the_body(client: tuple[Stack, httpx.Client], path: str) -> None:
    whole, head = client[1].get(path), client[1].head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    varying = {"date", "x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in varying} == {
        name: value for name, value in whole.headers.items() if name not in varying
    }


def test_the_documentation_comes_from_this_server_alone(client: tuple[Stack, httpx.Client]) -> None:
    caller = client[1]
    page = caller.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for address in ("/docs", "/docs/files/start.js", "/", "/page/page.js", "/page/style.css"):
        assert not FROM_ELSEWHERE.search(caller.get(address).raise_for_status().text), address
    assert FROM_ELSEWHERE.search('<script src="https://cdn.example/x.js">')
