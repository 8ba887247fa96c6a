"""Measurements, each a module with `run()` that gives a Report, or several one by one; `make bench` prints them all."""
