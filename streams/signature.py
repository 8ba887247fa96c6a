"""AWS' Signature Version 4 for the POSTs of one service. Pure.

botocore's signer takes any request of any service, and as long as all the rest of a call. A test holds this one
against it.
"""

import hmac
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote, urlsplit

from msgspec import Struct

ALGORITHM = "AWS4-HMAC-SHA256"
PORTS = {"http": 80, "https": 443}  # a Host header leaves them out


class Credentials(Struct, frozen=True):
    """Who signs; a token comes with what is only lent."""

    access_key: str
    secret_key: str
    token: str | None = None


class Signer:
    """Signs what is posted to one address."""

    def __init__(self, url: str, service: str, region: str) -> None:
        self._host = _host(url)
        self._path = quote(urlsplit(url).path, safe="/~")
        self._service = service
        self._region = region
        self._key_of: tuple[str, str] = ("", "")
        self._key = b""

    def sign(self, headers: dict[str, str], body: bytes, credentials: Credentials, now: datetime) -> dict[str, str]:
        """Return the headers to send: those given, with what names the moment (UTC), the sender and the signature."""
        moment = f"{now:%Y%m%dT%H%M%SZ}"
        headers = {**headers, "Host": self._host, "X-Amz-Date": moment}
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
        named = sorted((name.lower(), value) for name, value in headers.items())
        names = ";".join(name for name, _ in named)
        lines = "".join(f"{name}:{value}\n" for name, value in named)
        canonical = f"POST\n{self._path}\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = f"{ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = _digest(self._key_for(credentials.secret_key, moment[:8]), to_sign).hex()
        sender = f"Credential={credentials.access_key}/{scope}"
        headers["Authorization"] = f"{ALGORITHM} {sender}, SignedHeaders={names}, Signature={signature}"
        return headers

    def _key_for(self, secret: str, day: str) -> bytes:
        """Derive the key of a day once."""
        if self._key_of != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _digest(key, part)
            self._key_of, self._key = (secret, day), key
        return self._key


def _host(url: str) -> str:
    parts = urlsplit(url)
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return name if parts.port in {None, PORTS.get(parts.scheme)} else f"{name}:{parts.port}"


def _digest(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
