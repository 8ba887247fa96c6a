"""The relay's workers, and how they share the stream's shards by leases."""
