import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any, cast

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.connection import ASGIConnection

from api.auth.auth import LONGEST_USER_ID, Authenticate, authenticator
from api.errors import CallerUnknown
from streams.errors import SettingsRefused
from streams.settings import Settings
from tests.api.auth.issuer import EC_KEY, RSA_PUBLIC_PEM, STRANGERS_KEY, serving, signed

SECRET = "a secret of this test, longer than 32 bytes"
BY_SECRET = authenticator(Settings(auth_secret=SECRET))

Connection = ASGIConnection[Any, Any, Any, Any]


@pytest.fixture(scope="module")
def jwks_url() -> Iterator[str]:
    with serving() as url:
        yield url


def request(**headers: str) -> Connection:
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    return ASGIConnection(cast("Any", {"type": "http", "headers": raw, "method": "GET", "path": "/"}))


def bearer(token: str) -> Connection:
    return request(authorization=f"Bearer {token}")


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "user_7", "exp": int(time.time()) + 600} | more


def secret_token(secret: str = SECRET, **more: Any) -> str:
    return jwt.encode(claims(**more), secret, "HS256")


def by_hand(header: dict[str, Any], body: Any, key: bytes) -> str:
    """Sign with HMAC whatever a library would refuse to."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, body)]
    signature = hmac.new(key, b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


async def refused(authenticate: Authenticate, connection: Connection) -> str:
    with pytest.raises(CallerUnknown) as error:
        await authenticate(connection)
    return str(error.value)


async def user_of(authenticate: Authenticate, connection: Connection) -> str:
    return (await authenticate(connection)).user_id


async def test_the_caller_is_the_tokens_sub() -> None:
    assert await user_of(BY_SECRET, bearer(secret_token())) == "user_7"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_the_scheme_may_be_written_in_any_case(scheme: str) -> None:
    assert await user_of(BY_SECRET, request(authorization=f"{scheme} {secret_token()}")) == "user_7"


async def test_a_browser_sends_the_token_in_the_cookie() -> None:
    assert await user_of(BY_SECRET, request(cookie=f"theme=dark; __Host-session={secret_token()}")) == "user_7"
    named = authenticator(Settings(auth_secret=SECRET, auth_cookie="__Secure-token"))
    assert await user_of(named, request(cookie=f"__Secure-token={secret_token()}")) == "user_7"
    assert "neither" in await refused(named, request(cookie=f"__Host-session={secret_token()}"))


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic dTpw", "token"])
async def test_a_header_without_a_bearer_token_leaves_it_to_the_cookie(authorization: str) -> None:
    cookie = f"__Host-session={secret_token()}"
    assert await user_of(BY_SECRET, request(authorization=authorization, cookie=cookie)) == "user_7"
    assert "neither" in await refused(BY_SECRET, request(authorization=authorization))


async def test_a_bad_bearer_token_is_not_made_good_by_the_cookie() -> None:
    cookie = f"__Host-session={secret_token()}"
    await refused(BY_SECRET, request(authorization="Bearer broken", cookie=cookie))


async def test_the_bearer_token_outranks_the_cookie() -> None:
    cookie = f"__Host-session={secret_token(sub='somebody else')}"
    assert await user_of(BY_SECRET, request(authorization=f"Bearer {secret_token()}", cookie=cookie)) == "user_7"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"exp": 1700000000}, "expired"),
        ({"exp": "soon"}, "exp"),
        ({"exp": None}, "exp"),
        ({"nbf": 2**33}, "not yet valid"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "ubject"),
        ({"sub": ["user_7"]}, "ubject"),
        ({"sub": {"id": "user_7"}}, "ubject"),
        ({"sub": "u" * (LONGEST_USER_ID + 1)}, "sub"),
        ({"sub": "\ud800"}, "sub"),
    ],
)
async def test_a_token_that_does_not_hold_is_refused_and_says_why(more: dict[str, Any], why: str) -> None:
    token = by_hand({"alg": "HS256", "typ": "JWT"}, claims(**more), SECRET.encode())
    assert why in await refused(BY_SECRET, bearer(token))


@pytest.mark.parametrize("lacking", ["sub", "exp"])
async def test_a_token_without_a_user_or_an_end_is_refused(lacking: str) -> None:
    some = claims()
    del some[lacking]
    assert lacking in await refused(BY_SECRET, bearer(jwt.encode(some, SECRET, "HS256")))


async def test_a_token_outlives_its_end_by_no_more_than_clocks_differ() -> None:
    now = int(time.time())
    assert await user_of(BY_SECRET, bearer(secret_token(exp=now - 3))) == "user_7"
    await refused(BY_SECRET, bearer(secret_token(exp=now - 60)))


async def test_a_token_that_held_is_not_checked_again_at_once_but_by_whoever_checks_otherwise() -> None:
    token = secret_token()
    assert await BY_SECRET(bearer(token)) is await BY_SECRET(bearer(token))
    await refused(authenticator(Settings(auth_secret=SECRET, auth_issuer="https://issuer")), bearer(token))


async def test_a_token_signed_with_another_secret_is_refused() -> None:
    assert "ignature" in await refused(BY_SECRET, bearer(secret_token("another secret, longer than 32 bytes, too")))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS512", "RS256", "PS256", "", None, 7, ["HS256"]])
async def test_only_hs256_is_believed_by_a_secret(algorithm: Any) -> None:
    await refused(BY_SECRET, bearer(by_hand({"alg": algorithm}, claims(), SECRET.encode())))


async def test_a_token_without_a_signature_is_refused() -> None:
    await refused(BY_SECRET, bearer(jwt.encode(claims(), "", "none")))
    await refused(BY_SECRET, bearer(secret_token().rpartition(".")[0] + "."))


async def test_claims_cannot_be_exchanged() -> None:
    header, _, signature = secret_token().split(".")
    _, others, _ = secret_token(sub="somebody else").split(".")
    await refused(BY_SECRET, bearer(f"{header}.{others}.{signature}"))


@pytest.mark.parametrize("body", [[], "user_7", 7, None, {}])
async def test_claims_that_are_none_are_refused(body: Any) -> None:
    await refused(BY_SECRET, bearer(by_hand({"alg": "HS256"}, body, SECRET.encode())))


@given(st.text() | st.text('eyJ.=-_ \t"{}'))
def test_any_token_at_all_is_refused_and_nothing_worse(token: str) -> None:
    asyncio.run(refused(BY_SECRET, bearer(token)))
    asyncio.run(refused(BY_SECRET, request(cookie=f"__Host-session={token}")))


@pytest.mark.parametrize(
    ("more", "holds"),
    [
        ({"aud": "headway", "iss": "https://issuer"}, True),
        ({"aud": ["other", "headway"], "iss": "https://issuer"}, True),
        ({"aud": "other", "iss": "https://issuer"}, False),
        ({"iss": "https://issuer"}, False),
        ({"aud": "headway", "iss": "https://other"}, False),
        ({"aud": "headway"}, False),
    ],
)
async def test_audience_and_issuer_are_checked_where_they_are_set(more: dict[str, Any], holds: bool) -> None:
    strict = authenticator(Settings(auth_secret=SECRET, auth_audience="headway", auth_issuer="https://issuer"))
    assert await user_of(BY_SECRET, bearer(secret_token(**more))) == "user_7"
    if holds:
        assert await user_of(strict, bearer(secret_token(**more))) == "user_7"
    else:
        await refused(strict, bearer(secret_token(**more)))


async def test_tokens_of_an_issuer_are_checked_by_its_published_keys(jwks_url: str) -> None:
    by_keys = authenticator(Settings(auth_jwks_url=jwks_url))
    assert await user_of(by_keys, bearer(signed(claims()))) == "user_7"
    assert await user_of(by_keys, bearer(signed(claims(), EC_KEY, "ES256", "ec"))) == "user_7"


async def test_tokens_that_the_published_keys_did_not_sign_are_refused(jwks_url: str) -> None:
    by_keys = authenticator(Settings(auth_jwks_url=jwks_url))
    await refused(by_keys, bearer(signed(claims(), STRANGERS_KEY)))
    await refused(by_keys, bearer(signed(claims(), kid="unknown")))
    await refused(by_keys, bearer(signed(claims(), kid=None)))
    await refused(by_keys, bearer(signed(claims(), kid="ec")))  # a key of another kind
    await refused(by_keys, bearer(signed(claims(), algorithm="RS512")))
    await refused(by_keys, bearer(signed(claims(exp=1700000000))))


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_a_public_key_is_no_secret(jwks_url: str, secret: str | None) -> None:
    authenticate = authenticator(Settings(auth_jwks_url=jwks_url, auth_secret=secret))
    for key in (RSA_PUBLIC_PEM, RSA_PUBLIC_PEM.strip()):
        await refused(authenticate, bearer(by_hand({"alg": "HS256", "kid": "rsa"}, claims(), key)))
        await refused(authenticate, bearer(by_hand({"alg": "RS256", "kid": "rsa"}, claims(), key)))


async def test_a_secret_and_published_keys_may_both_be_set(jwks_url: str) -> None:
    both = authenticator(Settings(auth_jwks_url=jwks_url, auth_secret=SECRET))
    assert await user_of(both, bearer(secret_token())) == "user_7"
    assert await user_of(both, bearer(signed(claims()))) == "user_7"


async def test_without_a_secret_no_hs256_token_holds(jwks_url: str) -> None:
    await refused(authenticator(Settings(auth_jwks_url=jwks_url)), bearer(secret_token()))


async def test_the_dev_user_needs_no_token() -> None:
    assert await user_of(authenticator(Settings(dev_user="me", auth_secret=SECRET)), request()) == "me"


def test_where_nobody_could_be_let_in_the_start_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="HEADWAY_AUTH_SECRET"):
        authenticator(Settings())


async def test_when_a_token_ends_is_known() -> None:
    assert (await BY_SECRET(bearer(secret_token(exp=4_000_000_000)))).expires == 4_000_000_000
    assert (await authenticator(Settings(dev_user="me"))(request())).expires is None
