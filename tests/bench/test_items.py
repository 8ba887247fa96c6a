"""The engines that `make bench` puts in the place of others are asked as the real ones are."""

from asyncio import to_thread
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bench import items
from bench.counting import counting
from tests.support.stack import boto_client, typed
from workers.demo.engines import free_port, local_aws


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[dict[str, str]]:
    port = free_port()
    process = items.start(port, tmp_path)
    yield local_aws(port)
    process.stop()


def job(name: str) -> dict[str, Any]:
    return typed({"job_id": name, "prompt": f"of {name}"})


def test_what_was_put_is_read_and_what_is_not_known_is_refused(aws: dict[str, str]) -> None:
    client = boto_client("dynamodb", aws)
    client.put_item(TableName="jobs", Item=job("a"))
    client.batch_write_item(RequestItems={"jobs": [{"PutRequest": {"Item": job("b")}}]})
    keys = [{"job_id": {"S": name}} for name in ("a", "b", "none")]
    assert client.get_item(TableName="jobs", Key=keys[0])["Item"] == job("a")
    assert "Item" not in client.get_item(TableName="jobs", Key=keys[2])
    found = client.batch_get_item(RequestItems={"jobs": {"Keys": keys}})
    assert found["Responses"]["jobs"] == [job("a"), job("b")]
    with pytest.raises(ClientError, match="UnknownOperation"):
        client.scan(TableName="jobs")


async def test_the_proxy_counts_each_call_by_its_name(aws: dict[str, str]) -> None:
    async with counting(aws["AWS_ENDPOINT_URL"]) as proxy:
        client = boto_client("dynamodb", aws | {"AWS_ENDPOINT_URL": proxy.url})
        for _ in range(3):
            await to_thread(client.get_item, TableName="jobs", Key={"job_id": {"S": "a"}})
        await to_thread(client.put_item, TableName="jobs", Item=job("a"))
        assert proxy.counts == {"GetItem": 3, "PutItem": 1}


async def test_a_name_in_two_pieces_is_counted_once(aws: dict[str, str]) -> None:
    async with counting(aws["AWS_ENDPOINT_URL"]) as proxy:
        whole = b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
        for cut in range(1, len(whole)):
            before = proxy.counts["GetItem"]
            proxy.saw(proxy.saw(b"", whole[:cut]), whole[cut:])
            assert proxy.counts["GetItem"] == before + 1
