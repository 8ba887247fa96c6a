"""An issuer of tokens: keys of its own, and a JWKS served on loopback."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

RSA_PUBLIC_PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed(claims: dict[str, Any], key: PrivateKey = RSA_KEY, algorithm: str = "RS256", kid: str | None = "rsa") -> str:
    """Return a token as an identity provider signs it."""
    return jwt.encode(claims, key, algorithm, headers={"kid": kid} if kid else None)


def key_set() -> dict[str, Any]:
    """Return the public keys as a JWKS."""
    rsa_key = RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True)
    ec_key = ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True)
    return {
        "keys": [
            rsa_key | {"kid": "rsa", "use": "sig", "alg": "RS256"},
            ec_key | {"kid": "ec", "use": "sig", "alg": "ES256"},
        ]
    }


class _KeySet(BaseHTTPRequestHandler):
    body: ClassVar[bytes] = json.dumps(key_set()).encode()
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Tests say what happened themselves."""


@contextmanager
def serving() -> Iterator[str]:
    """Serve the JWKS; yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _KeySet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/jwks.json"
        finally:
            server.shutdown()
            thread.join()
