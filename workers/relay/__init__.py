"""What a worker does with a shard that it holds: read, publish, checkpoint, and mend what was lost."""
