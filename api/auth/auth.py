"""Who asks: the `sub` of a JSON Web Token, from the Authorization header or a cookie.

A browser's EventSource can send no header, so the cookie serves it. Tokens are never read from the URL.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import structlog
from litestar.connection import ASGIConnection

from api.auth.callers import LEEWAY, Caller, KnownCallers
from api.auth.keys import IssuerKeys
from api.errors import CallerUnknown
from streams.errors import SettingsRefused
from streams.settings import Settings

log = structlog.get_logger()

Connection = ASGIConnection[Any, Any, Any, Any]


Authenticate = Callable[[Connection], Awaitable[Caller]]

BY_SECRET = ("HS256",)
BY_JWKS = ("RS256", "ES256")
LONGEST_USER_ID = 2048  # bytes, DynamoDB's limit for a partition key


def authenticator(settings: Settings) -> Authenticate:
    """Return the way in which callers are known; raises SettingsRefused where none is set."""
    if settings.dev_user:
        if settings.auth_secret or settings.auth_jwks_url:
            log.warning("tokens are not looked at", reason="HEADWAY_DEV_USER is set", user=settings.dev_user)
        return _everyone(settings.dev_user)
    if not (settings.auth_secret or settings.auth_jwks_url):
        raise SettingsRefused(
            "nobody could be let in: set HEADWAY_AUTH_SECRET or HEADWAY_AUTH_JWKS_URL, or, on loopback, HEADWAY_DEV_USER"
        )
    return _by_token(settings)


def _everyone(user_id: str) -> Authenticate:
    async def authenticate(_: Connection) -> Caller:
        return Caller(user_id)

    return authenticate


def _by_token(settings: Settings) -> Authenticate:
    keys = IssuerKeys(settings.auth_jwks_url) if settings.auth_jwks_url else None

    async def key_and_algorithms(token: str) -> tuple[Any, tuple[str, ...]]:
        algorithm = jwt.get_unverified_header(token).get("alg")
        if settings.auth_secret and algorithm in BY_SECRET:
            return settings.auth_secret, BY_SECRET
        if keys and algorithm in BY_JWKS:
            return await keys.key_of(token), BY_JWKS
        raise jwt.InvalidAlgorithmError(f"the token is signed with {algorithm}, which is not accepted")

    async def checked(token: str) -> Caller:
        try:
            key, algorithms = await key_and_algorithms(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=list(algorithms),
                audience=settings.auth_audience,
                issuer=settings.auth_issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "sub"], "verify_aud": settings.auth_audience is not None},
            )
        except jwt.PyJWTError as error:
            raise CallerUnknown(f"the token does not hold: {error}") from error
        return Caller(_user_id(claims), int(claims["exp"]))

    known = KnownCallers()

    async def authenticate(connection: Connection) -> Caller:
        token = _token(connection, settings.auth_cookie)
        caller = known.of(token)
        if caller is None:
            caller = await checked(token)
            known.add(token, caller)
        return caller

    return authenticate


def _token(connection: Connection, cookie: str) -> str:
    scheme, _, token = _authorization(connection).partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if token := connection.cookies.get(cookie, ""):
        return token
    raise CallerUnknown(f"the request has neither a bearer token nor the cookie {cookie}")


def _authorization(connection: Connection) -> str:
    """Read one header, the first of its name; Litestar would put all in order."""
    for name, value in connection.scope["headers"]:
        if name == b"authorization":
            return value.decode("latin-1")
    return ""


def _user_id(claims: dict[str, Any]) -> str:
    user_id = claims["sub"]
    if not isinstance(user_id, str) or not 0 < _bytes_of(user_id) <= LONGEST_USER_ID:
        raise CallerUnknown(f"the token's sub is no user id; one has 1 to {LONGEST_USER_ID} bytes")
    return user_id


def _bytes_of(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can write and UTF-8 cannot
        return 0
