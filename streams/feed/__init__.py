"""The table's change stream: its records and shards, the leases on shards, and records set aside."""
