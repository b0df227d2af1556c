# stich: `make run` for people, `make test` for changes.
.DEFAULT_GOAL := help
.PHONY: help setup run test check lock bench chaos

PYTHON ?= python3
BIN := .venv/bin

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

lock: ## rewrite requirements.lock from pyproject.toml
	$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.lock
