"""What boto3 knows of a service: where it is, what its operations are called on the wire, and how it is reached."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.session import Session
from botocore.utils import get_environ_proxies
from msgspec import Struct

from streams.errors import SettingsRefused

CONNECT_WITHIN = 2  # seconds
READ_WITHIN = 8  # seconds without a byte
ATTEMPTS = 3


class Endpoint(Struct, frozen=True):
    """A service as its calls need it; `proxy` is the URL of the proxy on the way, if there is one."""

    url: str
    service: str
    region: str
    target: str
    content_type: str
    operations: Mapping[str, str]
    proxy: str | None = None


def endpoint_of(service: str, environment: Mapping[str, str], session: Session) -> Endpoint:
    """Ask boto3; raises SettingsRefused where AWS' own variables name no region, or a proxy that is none."""
    client = _client(service, environment, 1, boto3.Session(botocore_session=session))
    known = client.meta.service_model.metadata
    url = f"{client.meta.endpoint_url.rstrip('/')}/"
    endpoint = Endpoint(
        url=url,
        service=known.get("signingName", known["endpointPrefix"]),
        region=client.meta.region_name,
        target=known["targetPrefix"],
        content_type=f"application/x-amz-json-{known['jsonVersion']}",
        operations=client.meta.method_to_api_mapping,
        proxy=_proxy_to(url),
    )
    client.close()
    return endpoint


def plain_client(service: str, environment: Mapping[str, str], connections: int = 4) -> Any:
    """Return an ordinary boto3 client with the same endpoint, region and timeouts."""
    return _client(service, environment, connections, boto3.Session())


def _proxy_to(url: str) -> str | None:
    proxy = get_environ_proxies(url).get(urlsplit(url).scheme)
    if proxy is None:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if (scheme := urlsplit(proxy).scheme) not in {"http", "https"}:
        raise SettingsRefused(f"HTTP_PROXY or HTTPS_PROXY: a proxy speaks http or https, not {scheme}")
    return proxy


def _client(service: str, environment: Mapping[str, str], connections: int, session: boto3.Session) -> Any:
    region = environment.get("AWS_REGION") or session.region_name
    if not region:
        raise SettingsRefused("AWS_REGION is not set, nor does any AWS profile name a region")
    config = Config(
        connect_timeout=CONNECT_WITHIN,
        read_timeout=READ_WITHIN,
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
