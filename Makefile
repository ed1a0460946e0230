# One command sets up and one checks, the same here and in CI. Needs Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN_ONLY := $(VENV)/.ready-demo

.DEFAULT_GOAL := help
.PHONY: help demo studio picture docs test check lint types layers soak bench clean

help:            ## what there is to run
	@grep -E '^[a-z]+: .*## |^[a-z]+: +## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(RUN_ONLY)   ## a chat graph remembers a long conversation, across two processes, with no key and no server
	@$(BIN)/graph-memory demo

studio: $(READY)   ## the graphs in LangGraph Studio, on this machine alone
	@LANGGRAPH_CLI_NO_ANALYTICS=1 LANGSMITH_TRACING=false $(BIN)/langgraph dev --no-browser

picture: $(READY)   ## the graphs draw themselves into the README and docs/
	@$(BIN)/python -m graphs.draw

docs: $(READY)   ## the site of docs/, into site/, with every link and anchor checked (--quiet would let them pass)
	@echo "docs"; NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

test: $(READY)   ## every test, warnings as errors
	@$(BIN)/python -m pytest -n auto

check: lint types layers docs test   ## what CI runs: lint, format, types, layers, docs, tests

lint: $(READY)   ## ruff, both its check and its format
	@echo "lint"; $(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(READY)   ## mypy strict on the package, pyright on tests/typing
	@echo "types"; $(BIN)/mypy && $(BIN)/pyright

layers: $(READY)   ## imports point one way
	@echo "layers"; $(BIN)/lint-imports

soak: $(READY)   ## the full counts of every property test
	@GRAPH_MEMORY_SOAK=1 $(BIN)/python -m pytest -n auto

bench: $(READY)   ## every benchmark; those of retrieval need BENCH_DATA=<folder>
	@for b in window merge search growth fanout redis_reads checkpointers; do $(BIN)/python -m benchmarks.$$b || exit 1; done
	@if [ -n "$$BENCH_DATA" ]; then $(BIN)/python -m benchmarks.retrieval && $(BIN)/python -m benchmarks.ablation; fi

clean:           ## remove what the commands above made
	@rm -rf $(VENV) site .demo .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "graph_memory needs Python 3.11 or newer; this is %s. Name one: make PYTHON=python3.11 ..." % sys.version.split()[0])'
	@echo "making $(VENV)"; $(PYTHON) -m venv $(VENV)

$(RUN_ONLY): pyproject.toml | $(VENV)/bin/python
	@echo "installing graph_memory"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on -e '.[cli]'
	@touch $@

$(READY): pyproject.toml | $(VENV)/bin/python
	@echo "installing graph_memory with its development tools"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on -e '.[dev]'
	@touch $@ $(RUN_ONLY)
