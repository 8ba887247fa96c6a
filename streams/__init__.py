"""What flows: the job and its rules, the table, its change stream, and the Redis channel."""
