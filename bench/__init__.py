"""Measurements, each a module with `run() -> Report`; `make bench` prints them all."""
