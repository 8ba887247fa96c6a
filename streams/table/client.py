"""DynamoDB, called asynchronously: boto3's configuration, aiohttp's HTTP, AWS' signature, msgspec's typed answers.

boto3's own call takes fifteen times the CPU, in threads that hold up the event loop (docs/adr, 11).
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from aiohttp import ClientError as HTTPError
from aiohttp import ClientResponse, ClientSession, ClientTimeout, TCPConnector
from botocore.httpsession import get_cert_path
from botocore.session import Session, get_session
from msgspec import DecodeError, json

from streams.errors import TableUnavailable
from streams.retry import Backoff, retry
from streams.table.credentials import CredentialSource
from streams.table.endpoint import ATTEMPTS, CONNECT_WITHIN, READ_WITHIN, Endpoint, endpoint_of
from streams.table.refusals import KeysRefused, refusal_of
from streams.table.signing import Keys, Scope, sign

T = TypeVar("T")

OK = 200
QUEUE_WITHIN = 10  # seconds that a call may wait for a connection of the pool
KEEP_ALIVE = 15  # seconds that an idle connection is kept; less than servers keep it
BACKOFF = Backoff(ATTEMPTS, first=0.05, longest=0.4)
TIMEOUT = ClientTimeout(total=None, connect=QUEUE_WITHIN, sock_connect=CONNECT_WITHIN, sock_read=READ_WITHIN)

_encode = json.Encoder().encode


class DynamoDB:
    """One service (`dynamodb` or `dynamodbstreams`) whose calls are awaited and typed; for one event loop."""

    def __init__(
        self, endpoint: Endpoint, session: Session, connections: int, timeout: ClientTimeout = TIMEOUT
    ) -> None:
        parts = urlsplit(endpoint.url)
        self._endpoint = endpoint
        self._connections = connections
        self._timeout = timeout
        self._scope = Scope(endpoint.url, parts.path, endpoint.service, endpoint.region)
        self._host = parts.netloc.rpartition("@")[2]
        self._credentials = CredentialSource(session)
        self._authorities = session.get_config_variable("ca_bundle") or True
        self._http: ClientSession | None = None

    async def call(self, operation: str, into: type[T], /, **parameters: Any) -> T:
        """Make one API call, such as "get_item", and decode its answer; parameters are DynamoDB's JSON.

        Raises TableUnavailable where another try may succeed, botocore's ClientError for what DynamoDB refuses.
        """
        name, body = self._endpoint.operations[operation], _encode(parameters)

        async def attempt() -> T:
            keys = await self._credentials.keys()
            try:
                content = await self._post(name, body, keys)
            except KeysRefused:
                await self._credentials.renew(keys)
                content = await self._post(name, body, await self._credentials.keys())
            return _decoded(content, into)

        return await retry(operation, attempt, TableUnavailable, BACKOFF)

    async def close(self) -> None:
        """Close the connections."""
        if self._http:
            await self._http.close()
            await asyncio.sleep(0)  # Transports let go of their sockets in the next round.

    async def _post(self, operation: str, body: bytes, keys: Keys) -> bytes:
        headers = {
            "Host": self._host,
            "Content-Type": self._endpoint.content_type,
            "X-Amz-Target": f"{self._endpoint.target}.{operation}",
        }
        signed = sign(self._scope, headers, body, keys)
        try:
            async with self._connected().post(
                self._endpoint.url, data=body, headers=signed, proxy=self._endpoint.proxy, allow_redirects=False
            ) as answer:
                return await _content_of(answer, operation)
        except (HTTPError, OSError, TimeoutError) as error:
            raise TableUnavailable(f"{operation}: {str(error) or type(error).__name__}") from error

    def _connected(self) -> ClientSession:
        """Only now: connections belong to the event loop that runs."""
        if self._http is None:
            trusted = ssl.create_default_context(cafile=get_cert_path(self._authorities))
            self._http = ClientSession(
                connector=TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE, ssl=trusted),
                timeout=self._timeout,
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
            )
        return self._http


def connect_dynamodb(service: str, environment: Mapping[str, str], connections: int) -> DynamoDB:
    """Make the one way of a process to a service; `connections` bounds the calls under way at once.

    Raises SettingsRefused where AWS' own variables do not name a region, or name a proxy that is none.
    """
    session = get_session()
    return DynamoDB(endpoint_of(service, environment, session), session, connections)


async def _content_of(answer: ClientResponse, operation: str) -> bytes:
    content = await answer.read()
    if answer.status != OK:
        raise refusal_of(operation, answer.status, content, answer.headers.get("Date"))
    return content


def _decoded(content: bytes, into: type[T]) -> T:
    try:
        return json.decode(content, type=into)
    except DecodeError as error:
        raise TableUnavailable(f"the answer is not what DynamoDB gives: {error}") from error
