"""DynamoDB as Headway speaks to it: boto3's configuration, and a lean way there and back.

boto3 knows the credentials, the endpoint and the API's names. The request itself is one signed POST
(streams/table/posting.py), and its answer is decoded once, by msgspec, to the wanted type: boto3's own handling of requests and
answers costs ten times as much, in threads that hold up the event loop (docs/benchmarks.md). In return retries and errors are told here,
and how long is waited in streams/table/posting.py.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path
from botocore.session import Session, get_session
from botocore.utils import get_environ_proxies
from msgspec import DecodeError, Struct, field, json

from streams.errors import SettingsRefused, TableUnavailable, Throttled
from streams.table.posting import Posting, proxy_from
from streams.table.signature import Credentials, Signer

T = TypeVar("T")

# Error codes that ask for another try: https://docs.aws.amazon.com/amazondynamodb, "Error handling with DynamoDB".
PASSING = frozenset({"InternalServerError", "ServiceUnavailable", "TransactionInProgressException", "RequestTimeout"})
THROTTLING = frozenset({
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
})  # fmt: skip
OK = 200
SERVER_ERROR = 500
ATTEMPTS = 3
FIRST_PAUSE = 0.05  # seconds before the second attempt; doubles, and is jittered
FRESH = 60.0  # seconds for which credentials are used unasked; botocore renews them 10 minutes and more ahead

_encode = json.Encoder().encode


class Service(Struct, frozen=True):
    """What boto3 knows of a service: where it is and what its operations are called on the wire."""

    url: str
    name: str
    region: str
    target: str
    content_type: str
    operations: Mapping[str, str]


class DynamoDB:
    """One service (`dynamodb` or `dynamodbstreams`) whose calls are awaited and typed; for one event loop."""

    def __init__(self, service: Service, session: Session, connections: int) -> None:
        self._service = service
        self._connections = connections
        proxy = get_environ_proxies(service.url).get(urlsplit(service.url).scheme)
        self._proxy = proxy_from(proxy) if proxy else None
        self._signing = _Signing(session, service)
        self._authorities = session.get_config_variable("ca_bundle") or True
        self._posting: Posting | None = None

    async def call(self, operation: str, into: type[T], /, **parameters: Any) -> T:
        """Make one API call, such as "get_item", and decode its answer; parameters are DynamoDB's JSON.

        Raises TableUnavailable where another try may succeed, botocore's ClientError for what DynamoDB refuses.
        """
        name, body = self._service.operations[operation], _encode(parameters)
        for attempt in range(1, ATTEMPTS):
            try:
                return _decoded(await self._post(name, body), into)
            except TableUnavailable:
                await asyncio.sleep(FIRST_PAUSE * 2**attempt * random.uniform(0.25, 0.5))  # noqa: S311 - jitter
        return _decoded(await self._post(name, body), into)

    async def close(self) -> None:
        """Close the connections."""
        if self._posting:
            await self._posting.close()

    async def _post(self, operation: str, body: bytes) -> bytes:
        headers = await self._signing.headers(operation, body)
        try:
            status, content = await self._connected().post(headers, body)
        except OSError as error:
            raise TableUnavailable(f"{operation}: {str(error) or type(error).__name__}") from error
        if status != OK:
            raise _refusal(operation, status, content)
        return content

    def _connected(self) -> Posting:
        """Only now: connections belong to the event loop that runs."""
        if self._posting is None:
            trusted = ssl.create_default_context(cafile=get_cert_path(self._authorities))
            self._posting = Posting(self._service.url, self._connections, trusted, self._proxy)
        return self._posting


class _Signing:
    """Signatures with credentials that botocore keeps fresh."""

    def __init__(self, session: Session, service: Service) -> None:
        self._session = session
        self._service = service
        self._signer = Signer(service.url, service.name, service.region, service.content_type)
        self._credentials = Credentials("", "")
        self._until = 0.0

    async def headers(self, operation: str, body: bytes) -> str:
        if time.monotonic() > self._until:
            # In a thread: it may ask a file, a process or another service.
            self._credentials = await asyncio.to_thread(self._fresh)
            self._until = time.monotonic() + FRESH
        return self._signer.sign(f"{self._service.target}.{operation}", body, self._credentials, datetime.now(UTC))

    def _fresh(self) -> Credentials:
        try:
            credentials = self._session.get_credentials()
            if credentials is None:
                raise TableUnavailable("AWS credentials were not found")
            frozen = credentials.get_frozen_credentials()
            fresh = Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token)
        except BotoCoreError as error:
            raise TableUnavailable(f"AWS credentials: {error}") from error
        # They become lines of headers: a line break, as files end with one, would end the request's head.
        words = f"{fresh.access_key}{fresh.token or ''}"
        if not (words.isprintable() and words.isascii()):
            raise TableUnavailable("AWS credentials: the access key or the session token is no line of text")
        return fresh


def connect(service: str, environment: Mapping[str, str], connections: int) -> DynamoDB:
    """Make the one way of a process to a service; `connections` bounds the calls under way at once.

    Raises SettingsRefused where AWS' own variables do not name a region, or name a proxy that is none.
    """
    session = get_session()
    client = _client(service, environment, 1, boto3.Session(botocore_session=session))
    known = client.meta.service_model.metadata
    described = Service(
        url=f"{client.meta.endpoint_url.rstrip('/')}/",
        name=known.get("signingName", known["endpointPrefix"]),
        region=client.meta.region_name,
        target=known["targetPrefix"],
        content_type=f"application/x-amz-json-{known['jsonVersion']}",
        operations=client.meta.method_to_api_mapping,
    )
    client.close()
    try:
        return DynamoDB(described, session, connections)
    except ValueError as error:
        raise SettingsRefused(f"HTTP_PROXY or HTTPS_PROXY: {error}") from error


def plain_client(service: str, environment: Mapping[str, str], connections: int = 4) -> Any:
    """Return an ordinary boto3 client with the same endpoint, region and patience."""
    return _client(service, environment, connections, boto3.Session())


def _client(service: str, environment: Mapping[str, str], connections: int, session: boto3.Session) -> Any:
    region = environment.get("AWS_REGION") or session.region_name
    if not region:
        raise SettingsRefused("AWS_REGION is not set, nor does any AWS profile name a region")
    config = Config(
        connect_timeout=2,
        read_timeout=8,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
    )
    endpoint = _streams_endpoint(service, environment)
    try:
        return session.client(service, region_name=region, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]
    except ValueError as error:  # botocore's word for an endpoint that is no URL
        raise SettingsRefused(f"AWS_ENDPOINT_URL: {error}") from error


def _streams_endpoint(service: str, environment: Mapping[str, str]) -> str | None:
    """Local engines serve streams where they serve tables; boto3 would look for a variable of their own."""
    own = environment.get("AWS_ENDPOINT_URL_DYNAMODB_STREAMS") or environment.get("AWS_ENDPOINT_URL")
    if service == "dynamodbstreams" and not own:
        return environment.get("AWS_ENDPOINT_URL_DYNAMODB")
    return None


def _decoded(content: bytes, into: type[T]) -> T:
    try:
        return json.decode(content, type=into)
    except DecodeError as error:
        raise TableUnavailable(f"the answer is not what DynamoDB gives: {error}") from error


class _Refusal(Struct, frozen=True):
    """The body of an error; services differ in how they spell its message."""

    kind: str = field(name="__type", default="")
    message: str = ""
    capital: str = field(name="Message", default="")


def _refusal(operation: str, status: int, content: bytes) -> Exception:
    try:
        told = json.decode(content, type=_Refusal)
    except DecodeError:
        told = _Refusal(message=content[:200].decode(errors="replace"))
    code = told.kind.rpartition("#")[2] or str(status)
    told_error = {"Code": code, "Message": told.message or told.capital}
    error = ClientError({"Error": told_error, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # type: ignore[typeddict-item]
    return named(error, operation)


def named(error: ClientError, operation: str) -> Exception:
    """Return TableUnavailable or Throttled for what asks for another try, the error itself for what does not."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = error.response["Error"]["Code"]
    if code in THROTTLING:
        return Throttled(f"{operation}: {error}")
    if code in PASSING or status >= SERVER_ERROR:
        return TableUnavailable(f"{operation}: {error}")
    return error
