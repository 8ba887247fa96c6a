"""AWS' Signature Version 4 of a request, by AWS' own awscrt, or by botocore where AWS has no wheel of that."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec import Struct

try:
    from awscrt.auth import AwsCredentialsProvider, AwsSigningConfig, aws_sign_request
    from awscrt.http import HttpHeaders, HttpRequest
except ImportError:  # a platform without a wheel
    HAS_CRT = False
else:
    HAS_CRT = True


class Keys(Struct, frozen=True):
    """Who signs; a token comes with keys that are only lent."""

    access_key: str
    secret_key: str
    token: str | None = None


class Scope(Struct, frozen=True):
    """What a signature is good for: POSTs to this URL, of this service in this region."""

    url: str
    path: str
    service: str
    region: str


Headers = Mapping[str, str]
Sign = Callable[[Scope, Headers, bytes, Keys], dict[str, str]]


def sign_by_crt(
    scope: Scope, headers: Headers, body: bytes, keys: Keys, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dict[str, str]:
    """Return the headers of a signed POST; three times as fast as botocore's."""
    request = HttpRequest("POST", scope.path, HttpHeaders(list(headers.items())))
    config = AwsSigningConfig(
        credentials_provider=AwsCredentialsProvider.new_static(keys.access_key, keys.secret_key, keys.token),
        region=scope.region,
        service=scope.service,
        date=now(),
        signed_body_value=sha256(body).hexdigest(),
    )
    # With static keys nothing is waited for: it is done when it returns.
    return dict(aws_sign_request(request, config).result().headers)


def sign_by_botocore(scope: Scope, headers: Headers, body: bytes, keys: Keys) -> dict[str, str]:
    """Return the headers of a signed POST."""
    request = AWSRequest("POST", scope.url, headers=dict(headers), data=body)
    SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), scope.service, scope.region).add_auth(request)
    return dict(request.headers)


sign: Sign = sign_by_crt if HAS_CRT else sign_by_botocore
