"""Measurements, each a module with `run()` that returns a Report or several; `make bench` prints them all."""
