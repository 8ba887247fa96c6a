"""`python -m bench [name ...]`: measure all, or those that are named, and say what that is worth."""

import argparse
import signal
import sys
import time

from bench import page, results
from bench.machine import load
from bench.plan import MODULES, TOGETHER, chosen
from bench.results import BASELINE, LATEST, Part, Parts
from bench.runner import run_groups

BUSY = 1.0  # load, before anything is measured


def main() -> None:
    """Measure, print, save and compare; exit with 1 where a measurement failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it started ends with it
    asked = _arguments()
    if asked.docs or asked.baseline:
        _write(asked.docs, asked.baseline)
        return
    if (busy := load()) > BUSY:
        print(f"THE MACHINE IS BUSY, its load is {busy}: what is measured now means little.")
    started = time.monotonic()
    parts: Parts = {}
    for found in run_groups(chosen(asked.names), MODULES):
        parts |= found
        results.save(results.read(LATEST) | found, LATEST)  # at once: what is measured outlives a run that is stopped
    for line in results.compared(parts, results.read(BASELINE)):
        print(line)
    for line in _outcome(parts):
        print(line)
    print(f"{time.monotonic() - started:.0f} s; all of it is in {LATEST.relative_to(results.HERE.parent)}")
    sys.exit(any(part.failed for part in parts.values()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    known = sorted({*MODULES, *TOGETHER})
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(known)}; all of them by default")
    parser.add_argument("--docs", action="store_true", help="measure nothing, write the last results into docs/")
    parser.add_argument("--baseline", action="store_true", help="measure nothing, make the last results the baseline")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(known):
        parser.error(f"{', '.join(sorted(unknown))} is not measured here; {', '.join(known)} are")
    return asked


def _write(as_docs: bool, as_baseline: bool) -> None:
    latest = results.read(LATEST)
    if not latest:
        sys.exit(f"nothing was measured yet: there is no {LATEST.name}")
    if as_docs:
        page.write(latest)
    if as_baseline:
        results.save(results.figures_only(latest), BASELINE)


def _outcome(parts: Parts) -> list[str]:
    skipped = [f"SKIPPED in {name}: {what}" for name, part in parts.items() for what in _skipped(part)]
    return skipped + [f"FAILED: {name}, {part.failed}" for name, part in parts.items() if part.failed]


def _skipped(part: Part) -> list[str]:
    return [what for report in part.reports for what in report.skipped]


if __name__ == "__main__":
    main()
