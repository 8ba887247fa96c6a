"""Logs and traces, the same for every process."""
