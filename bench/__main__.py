"""`python -m bench [name ...]`: measure all, or those that are named."""

import argparse
import importlib
import pkgutil
import signal
import sys

import bench
from bench.report import Report

OURS = {"naive", "report", "__main__"}


def main() -> None:
    """Measure and print."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it started ends with it
    modules = pkgutil.iter_modules(bench.__path__)
    known = [module.name for module in modules if not module.ispkg and _is_measurement(module.name)]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(known)}; all of them by default")
    names = parser.parse_args().names
    for name in names or known:
        if name not in known:
            parser.error(f"{name} is not measured here; {', '.join(known)} are")
        found = importlib.import_module(f"bench.{name}").run()
        for report in [found] if isinstance(found, Report) else found:
            print(report, flush=True)


def _is_measurement(name: str) -> bool:
    """Whether a module measures: `hub_load` is a part of `hub`."""
    return name not in OURS and "_" not in name


if __name__ == "__main__":
    main()
