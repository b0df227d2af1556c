# stich: `make run` for people, `make test` for changes.
.DEFAULT_GOAL := help
.PHONY: help setup run test check format bench chaos load lock replay-gate

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
ROOMS := tests --ignore=tests/e2e --ignore=tests/chaos --ignore=tests/bench
QUIET_NPM := npm --prefix web --loglevel=error --no-update-notifier

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## set everything up (idempotent; STICH_HOME=DIR to keep data elsewhere than ~/.stich)
	@command -v $(PYTHON) >/dev/null || { echo "setup: Python 3.11 or newer is needed; install it, or name one: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) scripts/setup.py $(SETUP)

run: SETUP := --quiet
run: setup ## set up, then start everything and print one URL (PORT=8080, STICH_HOME=~/.stich)
	@exec $(BIN)/python -m stich up

# Tests play real servers and browsers side by side; one that got no processor in time is tried once more by itself. The
# first failure stays printed, and a test that fails both times fails the run.
ALONE = { echo "Tried once more, alone:"; $(PYTEST) -q -n 0 --hypothesis-profile same --last-failed --last-failed-no-failures none

test: setup ## set up, then run all tests: those of the rooms first, then whole systems
	@rm -rf .pytest_cache
	@$(PYTEST) -q $(ROOMS) --hypothesis-profile same -n 3 --dist loadfile || $(ALONE) $(ROOMS); }
	@$(QUIET_NPM) test --silent
	@$(PYTEST) -q tests/e2e -n 2 --dist loadfile || $(ALONE) tests/e2e; }
	@$(PYTEST) -q tests/chaos -m short || $(ALONE) tests/chaos -m short; }

check: setup ## check format, lint, types and the rooms' borders
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(QUIET_NPM) run check --silent

format: ## format all Python files
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format .

bench: setup ## run every benchmark
	@for file in tests/bench/bench_*.py; do $(BIN)/python -m tests.bench.$$(basename $$file .py) || exit 1; done

load: setup ## run 20 sessions at once with a model that answers at once, and report (at most 10 minutes)
	@$(BIN)/python -m tests.bench.load

chaos: setup ## run the whole kill matrix (half an hour)
	@$(PYTEST) -q tests/chaos

replay-gate: setup ## replay the saved histories, and those of the namespace at TEMPORAL_ADDRESS, with this build
	@$(BIN)/python -m stich replay-gate --saved tests/replay/histories
	@$(BIN)/python -m stich replay-gate

lock: ## rewrite requirements.lock from pyproject.toml
	$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.lock
