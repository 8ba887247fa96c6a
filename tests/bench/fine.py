"""A measurement that finds something."""

from bench.report import Report


def run() -> Report:
    return Report("Fine", ["a"], [["1"]])
