"""`python -m bench [name ...]`: measure all, or those that are named."""

import argparse
import importlib
import pkgutil

import bench

OURS = {"report", "__main__"}


def main() -> None:
    """Measure and print."""
    known = [module.name for module in pkgutil.iter_modules(bench.__path__) if module.name not in OURS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(known)}; all of them by default")
    names = parser.parse_args().names
    for name in names or known:
        if name not in known:
            parser.error(f"{name} is not measured here; {', '.join(known)} are")
        print(importlib.import_module(f"bench.{name}").run(), flush=True)


if __name__ == "__main__":
    main()
