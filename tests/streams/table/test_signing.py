"""AWS' signer and botocore's sign alike, so that a platform without the first is served by the second."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.table.signing import HAS_CRT, Keys, Scope, sign, sign_by_botocore, sign_by_crt

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
hosts = st.sampled_from(["dynamodb.eu-central-1.amazonaws.com", "127.0.0.1:8000", "[::1]:8000"])
paths = st.sampled_from(["/", "/edge/", "/a%20b/"])


@pytest.mark.skipif(not HAS_CRT, reason="awscrt has no wheel for this platform")
@given(st.builds(Keys, words, words, st.none() | words), st.binary(max_size=200), hosts, paths)
def test_both_signers_give_the_same_signature(keys: Keys, body: bytes, host: str, path: str) -> None:
    scope = Scope(f"https://{host}{path}", path, "dynamodb", "eu-central-1")
    headers = {"Host": host, "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.Query"}
    expected = sign_by_botocore(scope, headers, body, keys)
    moment = datetime.strptime(expected["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert sign_by_crt(scope, headers, body, keys, lambda: moment) == expected


def test_aws_signer_is_used_where_it_is_there() -> None:
    assert sign is (sign_by_crt if HAS_CRT else sign_by_botocore)
