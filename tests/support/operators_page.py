"""What the documents for operators promise of metrics, alerts and logs, read from their tables; and what is true. Pure."""

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


def rows(document: str, first: str) -> Iterator[list[str]]:
    """Yield the rows of the table whose first column has this name."""
    table = re.search(rf"^\| {first} \|.*\n\|[-| ]*\n((?:\|.*\n)+)", document, re.MULTILINE)
    assert table, f"no table of {first}"
    for line in table[1].splitlines():
        yield [cell.strip().replace("\\|", "|") for cell in CELL.split(line)[1:-1]]


def documented_metrics(document: str, process: str) -> set[Metric]:
    """Return the metrics that the document says a process has."""
    return {
        Metric(CODE.findall(name)[0], kind, frozenset(CODE.findall(labels)))
        for name, owner, kind, labels, _ in rows(document, "metric")
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
        for name, severity, expression, duration, _ in rows(document, "alert")
    }


def alert_rules(rules: str) -> set[Alert]:
    """Return the alerts of a file of rules."""
    return {
        Alert(rule["alert"], rule["labels"]["severity"], rule["expr"].strip(), rule.get("for", ""))
        for group in yaml.safe_load(rules)["groups"]
        for rule in group["rules"]
    }


def documented_events(document: str) -> set[tuple[str, str]]:
    """Return (event, level) as the document has them: levels in the order of the events, or all those of one event."""
    found: set[tuple[str, str]] = set()
    for events, told, _ in rows(document, "event"):
        names, levels = CODE.findall(events), re.findall("|".join(LEVELS), told)
        count = max(len(names), len(levels))
        found |= set(zip(_filled(names, count), _filled(levels, count), strict=True))
    return found


def _filled(words: list[str], count: int) -> list[str]:
    return words + words[-1:] * (count - len(words))


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
