"""Some records of the stream, read: what they change, and which of them are poison."""

import asyncio
import time
from collections.abc import Iterator, Sequence

from msgspec import Struct

from streams.channel.channel import Outcome
from streams.errors import ItemRefused
from streams.feed.record import Meaning, decode_record, meaning_of
from streams.jobs.change import Change
from streams.table.table import attributes_ignored
from workers.relay import metrics

SIZE = 250  # records published together: enough for one round trip, few enough for other shards to get their turn
SLICE = 25  # records read without a pause; meanwhile Redis' answers, renewals and other shards wait


class Batch(Struct):
    """What some records mean: the changes, the record that each came from, and what cannot be relayed at all."""

    records: Sequence[bytes]
    changes: list[Change]
    origins: list[bytes]
    poison: list[tuple[bytes, str]]
    read_at: int  # Unix nanoseconds
    newest: float = 0.0  # when the last one was written, Unix seconds

    def age(self, now: float) -> float:
        """Return the seconds since the last record was written, by DynamoDB's clock and ours; 0 where none is readable."""
        return max(0.0, now - self.newest) if self.newest else 0.0

    def to_park(self, outcomes: Sequence[Outcome]) -> list[tuple[bytes, str]]:
        """Return the records that cannot be relayed, each with its reason."""
        told = zip(self.origins, outcomes, strict=True)
        return [*self.poison, *((raw, "Redis refused the change") for raw, told in told if told is Outcome.REFUSED)]


def batches(records: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut a page into what is published together."""
    return (records[start : start + SIZE] for start in range(0, len(records), SIZE))


async def understand(records: Sequence[bytes], epoch: int) -> Batch:
    """Read some records, a few at a time; one that cannot be read is poison, and the others are not its hostages."""
    batch = Batch(records, [], [], [], time.time_ns())
    for number, raw in enumerate(records):
        if number % SLICE == 0:
            await asyncio.sleep(0)
        try:
            _add(batch, raw, epoch)
        except ItemRefused as error:
            batch.poison.append((raw, str(error)))
        except Exception as error:  # noqa: BLE001 - a bug of ours: kept with the record, and the fleet does not crash on it for ever
            batch.poison.append((raw, f"{type(error).__name__}: {error}"))
    metrics.records.inc(len(records))
    return batch


def _add(batch: Batch, raw: bytes, epoch: int) -> None:
    record = decode_record(raw)
    meaning = meaning_of(record, epoch)
    _count(meaning)
    if meaning.refusal:
        batch.poison.append((raw, meaning.refusal))
    batch.newest = record.dynamodb.approximate_creation_date_time
    batch.changes += meaning.changes
    batch.origins += [raw] * len(meaning.changes)


def _count(meaning: Meaning) -> None:
    for attribute in meaning.wrong:
        attributes_ignored.labels(attribute).inc()
    if not meaning.changes:
        metrics.records_unchanged.inc()
