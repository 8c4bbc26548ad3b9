# `make help` lists the targets. Every target sets up what it needs.
SHELL := /bin/sh
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
UV_INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python
export PORT
# Compiled modules are kept even where the environment says otherwise: a process then starts twice as fast.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run demo-reset postman sbom audit test bench growth pictures check types fmt lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.runtime ## build .venv with what the gateway needs to run
setup-dev: $(VENV)/.dev ## the same, and what the tests and checks need

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Borderpost needs Python 3.11 or newer; name one with PYTHON=/path/to/python3"; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# uv installs the locks in seconds, every hash checked; pip fetches only uv itself.
$(BIN)/uv: $(BIN)/python .ci/uv.lock
	@echo "Installing uv into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/uv.lock
	@touch $@

# The import compiles what each process loads: the user that serves may not write here.
$(VENV)/.runtime: $(BIN)/uv requirements.lock pyproject.toml
	@echo "Installing what the gateway needs (requirements.lock)"
	@$(UV_INSTALL) --require-hashes -r requirements.lock
	@$(UV_INSTALL) --no-deps --editable .
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -c 'import app.cli, app.serving'
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "Installing what the tests and checks need (requirements-dev.lock)"
	@$(UV_INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

# The pages are tested in the system's Chromium. Where none can be had, those tests say so and are
# skipped, and the next call tries again.
$(VENV)/.browser: $(BIN)/python
	@sh .ci/browser && touch $@ || true

# The proxy of deploy/nginx is tested with the system's nginx, under the same conditions.
$(VENV)/.nginx: $(BIN)/python
	@sh .ci/nginx && touch $@ || true

run: setup ## start the demo: emulator, gateway, one message's life, one blocked send
	@$(BIN)/borderpost demo --port $(PORT)

demo-reset: setup ## remove the demo's organization; the next `make run` creates it again
	@$(BIN)/borderpost demo reset

# In a fresh clone one process compiles the tests, in place of each worker of pytest.
test: setup-dev $(VENV)/.browser $(VENV)/.nginx ## run the tests (PostgreSQL from a wheel, Chromium from the system)
	@[ -e tests/__pycache__ ] || $(BIN)/python -m pytest -n 0 --collect-only -q >/dev/null 2>&1 || true
	$(BIN)/python -m pytest

# The clients are the system's wrk, under the same conditions.
$(VENV)/.wrk: $(BIN)/python
	@sh .ci/wrk && touch $@ || true

bench: setup-dev $(VENV)/.wrk ## compare the cost of sends and callbacks with the bare minimum, in about eight minutes
	@PYTHONPATH=tests $(BIN)/python -m bench $(BENCH)

growth: setup-dev ## measure lists, pages, dry runs and bytes at 10 thousand and a million messages, in ten minutes
	@PYTHONPATH=tests $(BIN)/python -m bench.growth $(GROWTH)

pictures: setup-dev $(VENV)/.browser ## take pictures of the console into docs/pictures/
	@PYTHONPATH=tests $(BIN)/python -m pictures 2>/dev/null

# Types and import contracts are checked while the tests wait for something.
check: setup-dev $(VENV)/.browser $(VENV)/.nginx ## what CI runs: format, lint, types, import contracts, tests
	@began=$$(date +%s); \
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(MAKE) --no-print-directory -j2 types test; \
	status=$$?; took=$$(($$(date +%s) - began)); \
	echo "make check took $$((took / 60)) min $$((took % 60)) s"; exit $$status

types: setup-dev
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup-dev ## format, and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup-dev ## renew both lock files from pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@sed -n '/^uv==/,/^[^ u]/{/^uv==/p;/--hash/p;}' requirements-dev.lock > .ci/uv.lock

postman: setup ## write a Postman collection of the API into build/
	@$(BIN)/python clients/postman.py build/borderpost.postman_collection.json

# Both read the lock of what the gateway runs with; the tools come and go by uvx.
sbom: setup-dev ## write a software bill of materials (CycloneDX) into build/
	@mkdir -p build
	@PYTHONWARNINGS=ignore $(BIN)/uvx --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.lock \
		--pyproject pyproject.toml --output-reproducible --of JSON -o build/borderpost.cdx.json
	@echo build/borderpost.cdx.json

audit: setup-dev ## ask PyPI for known vulnerabilities of what the gateway runs with (pip-audit)
	@$(BIN)/uvx --quiet pip-audit==2.10.1 --strict -r requirements.lock --require-hashes --disable-pip \
		--progress-spinner off \
		|| { echo "Above are known vulnerabilities, or packages that PyPI could not be asked about."; exit 1; }

clean: ## remove .venv, build/ and caches; instance/ stays
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
