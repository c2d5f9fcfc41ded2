# What one does with dashapp: `make up` runs it, `make test` checks everything.

SHELL := /bin/bash
VENV ?= .venv
ifndef PYTHON
# The newest of these that runs: a version manager's stand-in for one that isn't installed doesn't.
PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
endif
BIN := $(VENV)/bin
# Tests wait for processes and browsers as long as they compute: two cores are busy with three at a time.
WORKERS ?= 3
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.PHONY: up notebook test lint types imports tests browser prometheus bench pictures openapi constraints clean help

help: ## What there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

up: $(VENV)/.run ## Run dashapp on this machine: http://127.0.0.1:5006 (UP="--port 8080" for options)
	@exec $(BIN)/dashapp up $(UP)

notebook: $(VENV)/.notebooks ## JupyterLab with dashapp's notebooks, beside a running dashapp
	@exec $(BIN)/jupyter lab --notebook-dir notebooks

test: lint types imports tests ## Lint, types, floors, and all tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

tests: $(VENV)/.dev browser prometheus
	@# Once, where otherwise each of a hundred processes would compile it; pip does so for what it copies.
	@$(BIN)/python -m compileall -q dashapp
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

browser: $(VENV)/.dev
	@$(BIN)/python -m tests.browser

prometheus: $(VENV)/.dev
	@$(BIN)/python -m tests.prometheus

bench: $(VENV)/.bench ## Measure, beside peers in the same run
	$(BIN)/python -m benchmarks

pictures: $(VENV)/.dev browser ## Run the notebooks anew and keep their text and pictures
	$(BIN)/python -m tests.notebooks

openapi: $(VENV)/.dev ## Write docs/openapi.json with its examples and docs/dashboard.schema.json anew
	$(BIN)/python -m tests.recorded
	$(BIN)/python -m dashapp.api.openapi > docs/openapi.json
	$(BIN)/python -m dashapp.contract.documents > docs/dashboard.schema.json

constraints: ## Pin what a fresh installation of everything resolves to
	@fresh=$$(mktemp -d) && $(PYTHON) -m venv $$fresh && $$fresh/bin/python -m pip -q install -e '.[dev,notebooks,bench]' \
		&& { echo "# What dashapp was tested with. Written by \`make constraints\`."; $$fresh/bin/python -m pip freeze --exclude-editable; } > constraints.txt; \
		rm -rf $$fresh

clean: ## Remove the virtual environment and caches; data stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "dashapp needs Python 3.11 or newer; none was found. Install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) can't make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }

# Each mark says that the environment holds what the project file asked for when it was made.
$(VENV)/.run: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing dashapp …"
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing dashapp and what its tests need …"
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.notebooks: $(VENV)/.run
	@echo "installing JupyterLab …"
	@$(PIP) install -c constraints.txt -e '.[notebooks]'
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	@$(PIP) install -c constraints.txt -e '.[bench]'
	@touch $@
