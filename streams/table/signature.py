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
SIGNED = "content-type;host;x-amz-date;x-amz-target"
LENT = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"  # by who has a token
PORTS = {"http": 80, "https": 443}  # a Host header leaves them out


class Credentials(Struct, frozen=True):
    """Who signs; a token comes with what is only lent."""

    access_key: str
    secret_key: str
    token: str | None = None


class Signer:
    """Signs what is posted to one address."""

    def __init__(self, url: str, service: str, region: str, content_type: str) -> None:
        self._path = quote(urlsplit(url).path, safe="/~")
        self._start = f"content-type:{content_type}\nhost:{_host(url)}\nx-amz-date:"
        self._service = service
        self._region = region
        self._key_of: tuple[str, str] = ("", "")
        self._mac = hmac.new(b"", digestmod="sha256")

    def sign(self, target: str, body: bytes, credentials: Credentials, now: datetime) -> str:
        """Return the lines of headers to send: what is asked for, the moment (UTC), the sender and the signature.

        What is signed has the form and the order of these lines, so they are written once.
        """
        moment = f"{now:%Y%m%dT%H%M%SZ}"
        token = f"x-amz-security-token:{credentials.token}\n" if credentials.token else ""
        lines = f"{self._start}{moment}\n{token}x-amz-target:{target}\n"
        names = LENT if token else SIGNED
        canonical = f"POST\n{self._path}\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self._region}/{self._service}/aws4_request"
        to_sign = f"{ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        mac = self._mac_for(credentials.secret_key, moment[:8])
        mac.update(to_sign.encode())
        sender = f"Credential={credentials.access_key}/{scope}"
        lines += f"authorization:{ALGORITHM} {sender}, SignedHeaders={names}, Signature={mac.hexdigest()}\n"
        return lines.replace("\n", "\r\n")

    def _mac_for(self, secret: str, day: str) -> hmac.HMAC:
        """Derive the key of a day once, and make it ready to sign with."""
        if self._key_of != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key_of, self._mac = (secret, day), hmac.new(key, digestmod="sha256")
        return self._mac.copy()


def _host(url: str) -> str:
    parts = urlsplit(url)
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return name if parts.port in {None, PORTS.get(parts.scheme)} else f"{name}:{parts.port}"
