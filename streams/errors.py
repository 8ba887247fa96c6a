"""Everything that Headway itself can refuse or miss, in one tree.

HeadwayError
├── SettingsRefused       an environment variable cannot be used
├── ItemRefused           a table item or a stream record is not a job
├── TableUnfit            the jobs table is missing, or lacks its stream or index
├── TableUnavailable      DynamoDB did not answer: worth another try
│   └── Throttled         DynamoDB asked for less load: worth another try, later
├── ListTooLong           what a list asks for lies beyond what one request may read
├── ChannelUnavailable    Redis did not answer: worth another try
│   └── WrongServer       a Redis answered that takes no writes, or no longer: worth another try, elsewhere
├── PositionExpired       a shard iterator is too old, a new one is needed
├── RecordsTrimmed        the stream no longer holds the records that were asked for
├── ShardGone             the stream no longer holds the shard that was asked for, or there is no such stream
└── LeaseLost             a shard is, or may by now be, another worker's
"""


class HeadwayError(Exception):
    """Base of everything that Headway raises on purpose."""


class SettingsRefused(HeadwayError):
    """An environment variable cannot be used."""


class ItemRefused(HeadwayError):
    """A table item or a stream record is not a job."""


class TableUnfit(HeadwayError):
    """The jobs table is missing, or lacks its stream or its index."""


class TableUnavailable(HeadwayError):
    """DynamoDB did not answer; the same call may succeed later."""


class Throttled(TableUnavailable):
    """DynamoDB asked for less load; the same call may succeed later."""


class ListTooLong(HeadwayError):
    """What a list asks for lies beyond what one request may read."""


class ChannelUnavailable(HeadwayError):
    """Redis did not answer; the same call may succeed later."""


class WrongServer(ChannelUnavailable):
    """A Redis answered that takes no writes, or no longer; its name may stand for another one by now."""


class PositionExpired(HeadwayError):
    """A shard iterator is more than 15 minutes old."""


class RecordsTrimmed(HeadwayError):
    """The stream no longer holds the records that were asked for; younger ones it may hold."""


class ShardGone(HeadwayError):
    """The stream no longer holds the shard that was asked for, or there is no such stream any more."""


class LeaseLost(HeadwayError):
    """A shard is another worker's now, or may be: this worker could not renew its lease in time."""
