"""What one record of the change stream means for those who watch. Pure."""

from collections.abc import Sequence

from msgspec import DecodeError, Struct, ValidationError, field, json

from streams.errors import ItemRefused
from streams.jobs.change import Before, Change, changes_between, removal, spoiling
from streams.jobs.item import Attribute, Item, job_from_item
from streams.jobs.state import Version


class Images(Struct, frozen=True, rename="pascal", gc=False):
    """The `dynamodb` part of a stream record: the item before and after one write."""

    sequence_number: str
    keys: Item = field(default_factory=Item)
    old_image: Item | None = None
    new_image: Item | None = None
    approximate_creation_date_time: float = 0.0


class Record(Struct, frozen=True, rename="camel", gc=False):
    """One stream record as GetRecords gives it (https://docs.aws.amazon.com/amazondynamodb, API_streams_Record)."""

    event_name: str
    dynamodb: Images


class Meaning(Struct, frozen=True, gc=False):
    """What a record asks for: changes to publish, and the attributes that were unreadable in it.

    `refusal` says why the new item is no job; None where it is one, or is gone.
    """

    changes: list[Change]
    wrong: list[str]
    refusal: str | None = None


class _Place(Struct, frozen=True, rename="pascal"):
    sequence_number: str


class _Keys(Struct, frozen=True, rename="pascal"):
    keys: Item


class _Keyed(Struct, frozen=True):
    dynamodb: _Keys


class _Placed(Struct, frozen=True):
    dynamodb: _Place


_decoder = json.Decoder(Record)
_placed_decoder = json.Decoder(_Placed)
_keyed_decoder = json.Decoder(_Keyed)


def decode_record(raw: bytes) -> Record:
    """Decode a record; raises ItemRefused where it is not one."""
    try:
        return _decoder.decode(raw)
    except (ValidationError, DecodeError) as error:
        raise ItemRefused(f"stream record is not readable: {error}") from error


def last_sequence(records: Sequence[bytes]) -> str | None:
    """Return the sequence number of the last record that has one, whether or not the rest of it can be read."""
    for raw in reversed(records):
        try:
            sequence = _placed_decoder.decode(raw).dynamodb.sequence_number
        except (ValidationError, DecodeError):
            continue
        if sequence.isascii() and sequence.isdigit():
            return sequence
    return None


def job_id_of(raw: bytes) -> str | None:
    """Return the id of the job that a record is about, None where even that cannot be read."""
    try:
        job_id = _keyed_decoder.decode(raw).dynamodb.keys.job_id
    except (ValidationError, DecodeError):
        return None
    return job_id.s if job_id else None


def meaning_of(record: Record, epoch: int) -> Meaning:
    """Say what a record changes for its job's watchers; raises ItemRefused where it has no sequence number."""
    images = record.dynamodb
    version, before = _version(epoch, images.sequence_number), _before(images.old_image)
    job_id = _text(images.keys.job_id) or _text((images.new_image or images.old_image or images.keys).job_id)
    if images.new_image is None:
        return Meaning(removal(job_id, before, version), [])
    try:
        job, wrong = job_from_item(images.new_image)
    except ItemRefused as refusal:
        return Meaning(spoiling(job_id, before, version), [], str(refusal))
    return Meaning(changes_between(job_id, before, job, version), wrong)


def _version(epoch: int, sequence_number: str) -> Version:
    try:
        return Version.parse(f"{epoch}-{sequence_number}")
    except ValueError as error:
        raise ItemRefused(f"stream record has no sequence number: {error}") from error


def _before(image: Item | None) -> Before | None:
    """Read whose job an item was from whatever image has a user id: the rest of it may be a writer's slip."""
    if image is None or not (user_id := _text(image.user_id)):
        return None
    try:
        return Before(user_id, job_from_item(image)[0])
    except ItemRefused:
        return Before(user_id, None)


def _text(attribute: Attribute | None) -> str:
    return (attribute.s if attribute else None) or ""
