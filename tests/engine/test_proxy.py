"""Through nginx as people have it: default buffering, HTTP/1.1 and HTTP/2."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from httpx_sse import aconnect_sse

from tests.engine.test_streams import put
from tests.support.stack import Api, Stack, bearer
from workers.demo.engines import Process, free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

CONFIGURATION = """
daemon off;
pid {directory}/nginx.pid;
error_log stderr;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{http1};
    listen 127.0.0.1:{http2} http2;
    location / {{ proxy_pass {api}; }}
  }}
}}
"""


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def through_nginx(
    request: pytest.FixtureRequest, api: tuple[Stack, Api], tmp_path: Path
) -> Iterator[httpx.AsyncClient]:
    """A client whose requests go through nginx."""
    if NGINX is None:
        if "CI" in os.environ:
            pytest.fail("CI must have nginx")
        pytest.skip("nginx is not found")
    ports = {"http1": free_port(), "http2": free_port()}
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(directory=tmp_path, api=api[1].url, **ports))
    process = Process("nginx", [NGINX, "-p", str(tmp_path), "-c", str(configuration)], tmp_path / "nginx.log")
    try:
        process.until_listening(ports["http1"])
        http2 = request.param == "HTTP/2"
        port = ports["http2" if http2 else "http1"]
        yield httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", http1=not http2, http2=http2, timeout=20)
    finally:
        process.stop()


async def test_events_come_one_by_one_and_the_end_is_an_end(
    api: tuple[Stack, Api], user: str, through_nginx: httpx.AsyncClient
) -> None:
    stack = api[0]
    await put(stack, user, user, 1)
    path = f"/api/v1/jobs/{user}/events"
    last = ""
    async with through_nginx as client:
        async with aconnect_sse(client, "GET", path, headers=bearer(user)) as source:
            states = [event async for event in steps(stack, user, source.aiter_sse())]
            last = states[-1].id
        assert [event.json()["progress_percent"] for event in states] == [5, 50, 100]
        again = await client.get(path, headers=bearer(user) | {"Last-Event-ID": last})
        assert again.status_code == 204


async def steps(stack: Stack, user: str, events):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write the next state only when the one before it has come: a proxy that holds events back would wait for ever."""
    following = iter([(10, "processing"), (20, "completed")])
    async for event in events:
        if event.event in {"update", "done"}:
            yield event
            if step := next(following, None):
                await put(stack, user, user, *step)


async def test_many_readers_leave_and_nothing_is_left(api: tuple[Stack, Api], user: str) -> None:
    """Invariant 5: what a reader cost is given back, whether it left or was ended."""
    server = api[1]
    async with httpx.AsyncClient(timeout=20, limits=httpx.Limits(max_connections=None)) as client:

        async def visit(number: int) -> None:
            request = client.build_request(
                "GET", f"{server.url}/api/v1/jobs/events", headers=bearer(f"{user} {number}")
            )
            answer = await client.send(request, stream=True)
            assert answer.status_code == 200
            await answer.aclose()

        for start in range(0, 300, 30):
            await asyncio.gather(*(visit(number) for number in range(start, start + 30)))
        while "headway_streams 0.0" not in (await client.get(f"{server.url}/metrics")).text:
            pass
