"""The indexes of the jobs table that a list reads. Pure."""

from enum import Enum

USER_JOBS_INDEX = "UserJobsIndex"
USER_STATUS_INDEX = "UserStatusIndex"


class StatusIndex(Enum):
    """What UserStatusIndex offers for queries by status."""

    NONE = "there is none: lists by status read UserJobsIndex and leave out what does not match"
    PLAIN = "user_id, status: the engine takes no more keys; used to count, and where all matches fit a page"
    ORDERED = "user_id with status, created_at: a list by status reads only what it shows"


# DynamoDB takes several attributes per key since November 2025, so no writer has to write a combined one.
STATUS_KEYS = {
    StatusIndex.PLAIN: [("HASH", "user_id"), ("RANGE", "status")],
    StatusIndex.ORDERED: [("HASH", "user_id"), ("HASH", "status"), ("RANGE", "created_at")],
}
