"""What a job is, how a table item reads as one, and which of two states of it is newer. All pure."""
