"""Every setting of Headway, read once, from the environment. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct, convert

from streams.errors import SettingsRefused

T = TypeVar("T")

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("json", "console")
ON_OFF = ("on", "off")
HIGHEST_PORT = 65535
TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")  # DynamoDB's rule
SECRETS = re.compile(r".*@", re.DOTALL)  # user and password in a URL


class Settings(Struct, frozen=True, kw_only=True):
    """What an operator can set; the defaults suit one machine. Each is `HEADWAY_` and the name in capitals."""

    table: str = "jobs"
    leases_table: str = "jobs-leases"
    redis_url: str = "redis://127.0.0.1:6379/0"
    host: str = "127.0.0.1"
    port: int = 8000
    auth_secret: str | None = None
    auth_jwks_url: str | None = None
    auth_issuer: str | None = None
    auth_audience: str | None = None
    auth_cookie: str = "__Host-session"
    cursor_secret: str | None = None
    dev_user: str | None = None
    cors_origins: tuple[str, ...] = ()
    heartbeats: str = "on"
    processes: int = 1
    streams_per_user: int = 100
    streams_per_process: int = 20_000
    media_dir: str | None = None
    metrics_port: int = 9100
    log_level: str = "info"
    log_format: str | None = None


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; raises SettingsRefused, in one line that names the variable, where one cannot be used."""
    readers: dict[str, Callable[[str], object]] = {
        "table": _table,
        "leases_table": _table,
        "redis_url": _redis_url,
        "port": _port,
        "metrics_port": _port,
        "processes": _count,
        "streams_per_user": _count,
        "streams_per_process": _count,
        "auth_jwks_url": _http_url,
        "cors_origins": _origins,
        "heartbeats": _one_of(ON_OFF),
        "log_level": _one_of(LOG_LEVELS),
        "log_format": _one_of(LOG_FORMATS),
    }
    given = {}
    for name in Settings.__struct_fields__:
        variable = f"HEADWAY_{name.upper()}"
        if text := environment.get(variable, "").strip():
            given[name] = _read(variable, text, readers.get(name, str))
    settings = convert(given, Settings)
    if settings.dev_user and settings.host not in LOOPBACK:
        raise SettingsRefused(
            f"HEADWAY_DEV_USER lets everyone in as {settings.dev_user!r}, so HEADWAY_HOST must be loopback; it is {settings.host!r}"
        )
    return settings


def _read(variable: str, text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except ValueError as error:
        shown = SECRETS.sub("…@", text)  # logs are read by many
        raise SettingsRefused(f"{variable} is {shown!r}: {error}") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 <= int(text) <= HIGHEST_PORT):
        raise ValueError(f"a port is a number from 0 to {HIGHEST_PORT}")
    return int(text)


def _table(text: str) -> str:
    if not TABLE_NAME.fullmatch(text):
        raise ValueError("a table name has 3 to 255 of the characters A-Z a-z 0-9 _ . -")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError("it is a whole number above 0")
    return int(text)


def _redis_url(text: str) -> str:
    if _url(text).scheme not in {"redis", "rediss"}:
        raise ValueError("it starts with redis:// or rediss://")
    return text


def _http_url(text: str) -> str:
    parts = _url(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it starts with https:// or http:// and names a host")
    return text


def _url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        raise ValueError("it is not a URL") from None  # Python's own words may repeat a password
    return parts


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())
    for origin in origins:
        parts = _url(origin)
        if parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{origin!r} is not an origin; one is https://host or https://host:port")
    return origins


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"it is one of {', '.join(words)}")
        return text.lower()

    return read
