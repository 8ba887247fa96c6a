"""Our signature against botocore's, which AWS takes."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from streams.table.signature import Credentials, Signer

URLS = [
    "https://dynamodb.eu-central-1.amazonaws.com/",
    "https://DynamoDB.eu-central-1.amazonaws.com:443/",
    "http://127.0.0.1:8000/",
    "http://localhost:80/",
    "http://[::1]:8000/",
    "https://proxy.example:8443/aws/a b/%20/",
]
TARGET = "DynamoDB_20120810.Query"
keys = st.text("abcXYZ019+/", min_size=1)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as it asks


@pytest.mark.parametrize("url", URLS)
@given(st.binary(), st.builds(Credentials, keys, keys, st.none() | keys), moments)
def test_it_is_the_signature_that_botocore_makes(
    url: str, body: bytes, credentials: Credentials, now: datetime
) -> None:
    sent = headers_of(signer_of(url).sign(TARGET, body, credentials, now))
    assert (sent["x-amz-target"], sent["content-type"]) == (TARGET, "application/x-amz-json-1.0")
    assert sent.get("x-amz-security-token") == credentials.token
    assert sent["authorization"] == by_botocore(url, sent, body, credentials)


def test_a_day_and_a_secret_have_a_key_each() -> None:
    signer = signer_of(URLS[0])
    for secret, day in [("one", 1), ("one", 2), ("two", 2), ("one", 1)]:
        credentials = Credentials("AKID", secret)
        sent = headers_of(signer.sign(TARGET, b"{}", credentials, datetime(2026, 11, day, tzinfo=UTC)))
        assert sent["authorization"] == by_botocore(URLS[0], sent, b"{}", credentials)


def signer_of(url: str) -> Signer:
    return Signer(url, "dynamodb", "eu-central-1", "application/x-amz-json-1.0")


def headers_of(lines: str) -> dict[str, str]:
    *lines_, last = lines.split("\r\n")
    assert last == ""
    return dict(line.split(":", 1) for line in lines_)


def by_botocore(url: str, sent: dict[str, str], body: bytes, credentials: Credentials) -> str:
    """Return what botocore writes for these headers at their moment; the host it takes from the URL."""
    known = ReadOnlyCredentials(credentials.access_key, credentials.secret_key, credentials.token, None)
    signer = SigV4Auth(known, "dynamodb", "eu-central-1")
    headers = {name: value for name, value in sent.items() if name not in {"host", "authorization"}}
    request = AWSRequest("POST", url, headers, body)
    request.context["timestamp"] = sent["x-amz-date"]
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    return f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, Signature={signature}"
