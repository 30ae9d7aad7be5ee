# `make help` lists what there is. Everything runs in `.venv`, which `make setup` makes from the versions in requirements.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# A version that has advisories: who tells of none here tells of none at all.
ADVISORIES := https://pypi.org/pypi/requests/2.19.0/json

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-long check audit format bench bench-long reference lock

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with ptolemy and all development dependencies

$(STAMP): pyproject.toml requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt --editable .
	@touch $(STAMP)

demo: setup ## Load real market data, back it up, restore it, compare
	$(BIN)/ptolemy demo

serve: setup ## Run the product: API and job worker, with its own PostgreSQL
	$(BIN)/ptolemy serve

test: check ## The checks and the tests, as CI runs them
	$(BIN)/pytest -n 2 -m "not long"

test-long: setup ## What takes longer: faults and property tests at length
	$(BIN)/pytest -n 2 -m long

check: setup ## Format, lint (also for weaknesses), types, import rules, audit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if $(BIN)/python -c "import urllib.request; 'PYSEC' in urllib.request.urlopen('$(ADVISORIES)', timeout=5).read().decode() or exit(1)" \
	2>/dev/null; then $(MAKE) --no-print-directory audit; else echo "Not audited: no advisories at $(ADVISORIES)"; fi

audit: setup ## Ask for known weaknesses of the pinned versions (needs the network; part of check where it can run)
	$(BIN)/pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --requirement requirements.txt --no-deps --disable-pip --strict --progress-spinner off

format: setup ## Rewrite the code in its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## Print the figures of docs/performance.md (ONLY=values, ONLY=requests)
	$(BIN)/python -m bench $(ONLY)

bench-long: setup ## Memory with 10^5, 10^6 and 10^7 values in and out (half an hour, 20 GB)
	$(BIN)/python -m bench.long

reference: setup ## Write docs/reference anew from the code
	$(BIN)/python docs/make_reference.py

lock: setup ## Choose the versions of requirements.txt anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --extra dev --no-header --no-emit-index-url --output-file requirements.txt pyproject.toml
