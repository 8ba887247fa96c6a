"""What docs/operations.md promises of metrics and logs, read from its tables; and what is true. Pure."""

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import yaml
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

LIBRARYS = ("process_", "python_")  # metrics that the client library adds
CELL = re.compile(r"(?<!\\)\|")
CODE = re.compile(r"`([^`]+)`")
LEVELS = ("debug", "info", "warning", "error")


class Metric(Struct, frozen=True):
    """One metric as Prometheus knows it."""

    name: str
    kind: str
    labels: frozenset[str]


class Alert(Struct, frozen=True):
    """One alert and when it is raised."""

    name: str
    severity: str
    expression: str
    duration: str


def rows(document: str, heading: str) -> Iterator[list[str]]:
    """Yield the rows of the first table below a heading."""
    _, _, section = document.partition(f"\n## {heading}\n")
    table = re.search(r"\n\|.*\n\|-.*\n((?:\|.*\n)+)", section)
    assert table, f"{heading} has no table"
    for line in table[1].splitlines():
        yield [cell.strip().replace("\\|", "|") for cell in CELL.split(line)[1:-1]]


def documented_metrics(document: str, process: str) -> set[Metric]:
    """Return the metrics that the document says a process has."""
    return {
        Metric(CODE.findall(name)[0], kind, frozenset(CODE.findall(labels)))
        for name, owner, kind, labels, _ in rows(document, "Metrics")
        if owner in {process, "both"}
    }


def exported_metrics(exposition: str) -> set[Metric]:
    """Return the metrics that a process shows; those that have no sample yet show no labels."""
    return {
        Metric(_name(family.name, family.type), family.type, _labels(family.samples))
        for family in text_string_to_metric_families(exposition)
        if not family.name.startswith(LIBRARYS) and not family.name.endswith("_created")
    }


def _name(family: str, kind: str) -> str:
    return f"{family}_total" if kind == "counter" else family


def _labels(samples: list[Sample]) -> frozenset[str]:
    return frozenset(label for sample in samples for label in sample.labels) - {"le"}


def documented_alerts(document: str) -> set[Alert]:
    """Return the alerts as the document has them."""
    return {
        Alert(CODE.findall(name)[0], severity, CODE.findall(expression)[0], duration.strip("\N{EN DASH}"))
        for name, severity, expression, duration, _ in rows(document, "What to be woken for")
    }


def alert_rules(rules: str) -> set[Alert]:
    """Return the alerts of a file of rules."""
    return {
        Alert(rule["alert"], rule["labels"]["severity"], rule["expr"].strip(), rule.get("for", ""))
        for group in yaml.safe_load(rules)["groups"]
        for rule in group["rules"]
    }


def documented_events(document: str) -> set[tuple[str, str]]:
    """Return (event, level) as the document has them."""
    found: set[tuple[str, str]] = set()
    for events, levels, *_ in rows(document, "Logs"):
        names, wanted = CODE.findall(events), levels.split(", ")
        found |= set(zip(names, wanted * len(names) if len(wanted) == 1 else wanted, strict=False))
    return found


def logged_events(packages: list[Path]) -> set[tuple[str, str]]:
    """Return (event, level) of every line that the code logs; a level that is chosen as it runs counts as each."""
    trees = (ast.parse(file.read_text()) for package in packages for file in package.rglob("*.py"))
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {(event, level) for call in calls if (event := _event(call)) for level in _levels(call.func)}


def _event(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def _levels(function: ast.expr) -> Collection[str]:
    if isinstance(function, ast.Attribute):
        return {function.attr} & set(LEVELS)
    return LEVELS if isinstance(function, ast.Name) and function.id == "say" else ()
