"""boto3 as Headway uses it: one client, its own threads, and answers decoded once, typed.

botocore keeps credentials, endpoints, signing, the pool and retries. Its response parser, which is
most of the cost of a read, is replaced by one that hands back the body, which msgspec decodes to the
wanted type. Errors are still parsed by botocore.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import JSONParser, ResponseParserFactory
from botocore.session import get_session
from msgspec import json

from streams.errors import SettingsRefused, TableUnavailable

T = TypeVar("T")

# Error codes that ask for another try: https://docs.aws.amazon.com/amazondynamodb, "Error handling with DynamoDB".
PASSING = frozenset({
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionInProgressException",
    "RequestTimeout",
})  # fmt: skip
SERVER_ERROR = 500


class _BodyParser(JSONParser):
    def _do_parse(self, response: Mapping[str, Any], shape: object) -> dict[str, Any]:  # noqa: ARG002
        return {"Body": response["body"]}


class _BodyParserFactory(ResponseParserFactory):
    def create_parser(self, protocol_name: str) -> _BodyParser:
        if protocol_name != "json":
            raise NotImplementedError(f"DynamoDB is spoken to in json, botocore asks for {protocol_name}")
        return _BodyParser()


class DynamoDB:
    """One boto3 client (`dynamodb` or `dynamodbstreams`) whose calls are awaited and typed."""

    def __init__(self, client: Any, threads: ThreadPoolExecutor) -> None:
        self._client = client
        self._threads = threads

    async def call(self, operation: str, into: type[T], /, **parameters: Any) -> T:
        """Make one API call, such as "get_item", and decode its answer.

        Raises TableUnavailable where another try may succeed, botocore's ClientError for what DynamoDB refuses.
        """
        method = getattr(self._client, operation)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, partial(method, **parameters))
        except ClientError as error:
            raise _named(error, operation) from error
        except BotoCoreError as error:
            raise TableUnavailable(f"{operation}: {error}") from error
        return json.decode(answer["Body"], type=into)

    def close(self) -> None:
        """Close the connections; calls under way end first."""
        self._threads.shutdown()
        self._client.close()


def connect(service: str, environment: Mapping[str, str], threads: int) -> DynamoDB:
    """Make the one client of a process for a service; `threads` bounds the calls under way at once.

    Raises SettingsRefused where AWS' own variables do not name a region.
    """
    session = get_session()
    session.register_component("response_parser_factory", _BodyParserFactory())
    client = _client(service, environment, threads, boto3.Session(botocore_session=session))
    return DynamoDB(client, ThreadPoolExecutor(threads, thread_name_prefix=service))


def plain_client(service: str, environment: Mapping[str, str], threads: int = 4) -> Any:
    """Return an ordinary boto3 client with the same endpoint, region and patience."""
    return _client(service, environment, threads, boto3.Session())


def _client(service: str, environment: Mapping[str, str], threads: int, session: boto3.Session) -> Any:
    region = environment.get("AWS_REGION") or session.region_name
    if not region:
        raise SettingsRefused("AWS_REGION is not set, nor does any AWS profile name a region")
    config = Config(
        connect_timeout=2,
        read_timeout=8,
        max_pool_connections=threads,
        retries={"mode": "standard", "total_max_attempts": 3},
        tcp_keepalive=True,
    )
    return session.client(  # type: ignore[call-overload]
        service, region_name=region, endpoint_url=_streams_endpoint(service, environment), config=config
    )


def _streams_endpoint(service: str, environment: Mapping[str, str]) -> str | None:
    """Local engines serve streams where they serve tables; boto3 would look for a variable of their own."""
    own = environment.get("AWS_ENDPOINT_URL_DYNAMODB_STREAMS") or environment.get("AWS_ENDPOINT_URL")
    if service == "dynamodbstreams" and not own:
        return environment.get("AWS_ENDPOINT_URL_DYNAMODB")
    return None


def _named(error: ClientError, operation: str) -> Exception:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if error.response["Error"]["Code"] in PASSING or status >= SERVER_ERROR:
        return TableUnavailable(f"{operation}: {error}")
    return error
