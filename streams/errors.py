"""Everything that Headway itself can refuse or miss, in one tree.

HeadwayError
├── SettingsRefused       an environment variable cannot be used
├── ItemRefused           a table item or a stream record is not a job
├── TableUnfit            the jobs table is missing, or lacks its stream or index
├── TableUnavailable      DynamoDB did not answer, or asked for less load: worth another try
├── ChannelUnavailable    Redis did not answer: worth another try
├── PositionExpired       a shard iterator is too old, a new one is needed
└── RecordsTrimmed        the stream no longer holds what was asked for
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
    """DynamoDB did not answer, or asked for less load; the same call may succeed later."""


class ChannelUnavailable(HeadwayError):
    """Redis did not answer; the same call may succeed later."""


class PositionExpired(HeadwayError):
    """A shard iterator is more than 15 minutes old."""


class RecordsTrimmed(HeadwayError):
    """The stream no longer holds the records, or the shard, that were asked for."""
