"""What DynamoDB refuses, by the codes of its errors: worth another try, with other keys, or not at all.

https://docs.aws.amazon.com/amazondynamodb, "Error handling with DynamoDB".
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from botocore.exceptions import ClientError
from msgspec import DecodeError, Struct, field, json

from streams.errors import TableUnavailable, Throttled

PASSING = frozenset({"InternalServerError", "ServiceUnavailable", "TransactionInProgressException", "RequestTimeout"})
THROTTLING = frozenset({
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
})  # fmt: skip
OF_KEYS = frozenset({
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
SKEWED = "RequestTimeTooSkewed"
SKEWED_WORDS = ("Signature expired", "Signature not yet current")  # how DynamoDB says it, as InvalidSignatureException
SERVER_ERROR = 500


class KeysRefused(TableUnavailable):
    """AWS does not take the keys, or no longer; others may be found where these came from."""


class _Refusal(Struct, frozen=True):
    """The body of an error; services differ in how they spell its message."""

    kind: str = field(name="__type", default="")
    message: str = ""
    capital: str = field(name="Message", default="")


def refusal_of(operation: str, status: int, content: bytes, date: str | None = None) -> Exception:
    """Return the error of an answer; `date` is its Date header."""
    try:
        told = json.decode(content, type=_Refusal)
    except DecodeError:
        told = _Refusal(message=content[:200].decode(errors="replace"))
    code, message = told.kind.rpartition("#")[2] or str(status), told.message or told.capital
    if code == SKEWED or message.startswith(SKEWED_WORDS):
        return TableUnavailable(f"{operation}: {_skew(date)} ({message})")
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return named(ClientError(answer, operation), operation)  # type: ignore[arg-type]


def named(error: ClientError, operation: str) -> Exception:
    """Return TableUnavailable, or a kind of it, for what asks for another try, the error itself for what does not."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = error.response["Error"]["Code"]
    if code in THROTTLING:
        return Throttled(f"{operation}: {error}")
    if code in OF_KEYS:
        return KeysRefused(f"{operation}: {error}")
    if code in PASSING or status >= SERVER_ERROR:
        return TableUnavailable(f"{operation}: {error}")
    return error


def _skew(date: str | None) -> str:
    """Say how far this machine's clock is from AWS', as far as the answer tells."""
    try:
        seconds = (datetime.now(UTC) - parsedate_to_datetime(date or "")).total_seconds()
    except (ValueError, TypeError):
        return "AWS says that this machine's clock is wrong"
    return f"this machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} AWS'"
