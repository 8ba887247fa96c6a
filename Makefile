.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install run test chaos check lint types bench bench-docs bench-baseline dist sbom lock swagger-ui

help: ## what the doors are
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## .venv from the hash-locked requirements

.venv/.installed: requirements-dev.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Headway needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

run: install ## everything on this machine, with a simulated pipeline; Ctrl-C stops it
	@exec $(BIN)/python -m workers demo

test: install ## the tests, on engines of their own
	$(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal

chaos: install ## kill, freeze and stop everything in turn, under load; prints how long updates stood still
	$(BIN)/python -m tests.chaos

bench: install ## measure, in ten minutes; `make bench WHAT=latency` for one
	$(BIN)/python -m bench $(WHAT)

bench-docs: install ## write what was measured last into docs/benchmarks.md and docs/plots/
	$(BIN)/python -m bench --docs

bench-baseline: install ## make what was measured last what later runs are compared with
	$(BIN)/python -m bench --baseline

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

check: lint types test ## lint, types, tests

dist: install ## wheel and sdist
	@rm -rf dist
	$(BIN)/python -m build --no-isolation

sbom: install ## what the image holds, as CycloneDX, in dist/sbom.json
	$(BIN)/pip install --quiet --disable-pip-version-check cyclonedx-bom
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml requirements.lock -o dist/sbom.json

# The lock files name no index: uv only resolves, pip installs.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: install ## resolve the dependencies anew
	$(BIN)/pip install --quiet uv
	$(LOCK) pyproject.toml --extra local --extra otel --group dev -o requirements-dev.lock
	$(LOCK) pyproject.toml -c requirements-dev.lock -o requirements.lock

swagger-ui: install ## another Swagger UI for /docs, from npm: make swagger-ui VERSION=5.35.0
	@mkdir -p build
	npm pack --silent --pack-destination build swagger-ui-dist@$(VERSION)
	$(BIN)/python -m tests.support.vendored build/swagger-ui-dist-$(VERSION).tgz
