# Every developer action by name; CI calls the same names. `make` lists them.
PYTHON ?= python3.11
BIN := .venv/bin
SEED ?= 0
PORT ?= 8000
BUSINESSES ?= 30000
MONTHS ?= 48

export PYTHONHASHSEED := 0

.DEFAULT_GOAL := help
.PHONY: help cluster run demo test lint format types contracts unit test-slow test-faults docs lock bench clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "%-12s %s\n", $$1, $$2}'

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "microloan needs Python 3.11; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { echo "Python's venv module is missing: apt-get install python3.11-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@# compiled once here, or, where PYTHONDONTWRITEBYTECODE is set, by every process that starts
	$(BIN)/uv pip install --quiet --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@$(BIN)/python -c 'import lightgbm' 2>/dev/null || \
	  { echo "LightGBM cannot load; it needs OpenMP: apt-get install libgomp1"; exit 1; }
	@touch $@

.venv/cluster: .venv/installed requirements-cluster.lock
	$(BIN)/uv pip install --quiet --require-hashes --compile-bytecode -r requirements-cluster.lock
	@touch $@

cluster: .venv/cluster  ## install Dask and PySpark beside the rest

run: .venv/installed  ## the whole path on a made-up province, then the service on 127.0.0.1:8000
	$(BIN)/microloan run --businesses $(BUSINESSES) --months $(MONTHS) --seed $(SEED) --port $(PORT)

demo: .venv/installed  ## the same, but exit after one served decision
	$(BIN)/microloan run --businesses $(BUSINESSES) --months $(MONTHS) --seed $(SEED) --once

test: lint format types contracts unit  ## everything that must hold before a change lands

lint: .venv/installed  ## ruff's rules
	$(BIN)/ruff check .

format: .venv/installed  ## the formatter has nothing to change
	$(BIN)/ruff format --check .

types: .venv/installed  ## mypy, strict on the four rooms
	$(BIN)/mypy

contracts: .venv/installed  ## the import directions
	$(BIN)/lint-imports

# A thread each: two workers with two threads each wait for one another. The longest modules come first.
unit: .venv/installed  ## pytest without the slow proofs
	OMP_NUM_THREADS=1 POLARS_MAX_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadscope --no-loadscope-reorder

test-slow: .venv/cluster  ## slow proofs but the faults: scale, clusters, Prefect's harness
	$(BIN)/pytest -q -m slow --ignore tests/faults

test-faults: .venv/installed  ## kill -9, power cuts, failing disks (root, strace, util-linux)
	$(BIN)/pytest -q -m slow tests/faults -o log_cli=true --log-cli-level=INFO

docs: .venv/installed  ## write the generated pages: tables, features, command line
	$(BIN)/python -m pipelines.reference docs

lock: .venv/installed  ## pin every dependency with its hash, naming no index
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --group pyproject.toml:install -o requirements-uv.lock
	$(BIN)/python -c 'import tomllib; [print(*extra, sep="\n") for extra in \
	  tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"].values()]' | \
	  $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --python-version 3.11 -c requirements.lock - -o requirements-cluster.lock

bench: .venv/installed  ## features, their peers and the online store; benchmarks/README.md has more
	$(BIN)/python benchmarks/feature_build.py --businesses 20000
	$(BIN)/python benchmarks/feature_peers.py
	$(BIN)/python benchmarks/online.py --rows 100000 --businesses 12000

clean:  ## remove what runs made (var/), keep the environment
	rm -rf var
