# Two commands do everything: `make run` and `make test`.
# HOST= and PORT= choose the address of `make run`.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin
PAGE := templates/graphene
# Packages of npm's that the tests run: the programs shown to users, and tools.
CLIENTS := example_client/javascript tests/e2e/npm

.PHONY: run test lint format lock assets test-assets bench clean help

help:
	@echo "make run | test | lint | format | lock | assets | clean"

# ---- run

run: export DEBUG := on
run: .venv/runtime assets
	@$(BIN)/python -m server.listening "$(HOST)" "$(PORT)"
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py demo --host $(HOST) --port $(PORT)
	@exec $(BIN)/python manage.py runserver $(HOST):$(PORT) --noreload

# ---- the environment: the locks are complete, so pip resolves nothing (--no-deps).

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv

.venv/runtime: requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	@touch $@

.venv/test: requirements-test.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-test.txt
	@touch $@ .venv/runtime

lock: .venv/test
	for target in "-o requirements.txt" \
	    "--extra services -c requirements.txt -o requirements-services.txt" \
	    "--extra services --extra test -c requirements-services.txt -o requirements-test.txt"; do \
	  $(BIN)/uv pip compile --quiet setup.cfg $$target --override overrides.txt --universal --generate-hashes \
	    --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command "make lock" || exit 1; \
	done

# ---- the page's assets, and the npm clients of the tests

assets:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(PAGE)/dist/graphiql.js; \
	else echo "npm is missing: GraphiQL is not built (the page will say so)"; fi

$(PAGE)/dist/graphiql.js: $(PAGE)/package-lock.json $(PAGE)/vite.config.js $(wildcard $(PAGE)/src/*)
	cd $(PAGE) && npm ci --no-audit --no-fund --loglevel=error && npm run build --silent
	@touch $@

test-assets: assets
	@if command -v npm >/dev/null; then \
	  $(MAKE) --no-print-directory $(CLIENTS:%=%/node_modules/.installed); fi

$(CLIENTS:%=%/node_modules/.installed): %/node_modules/.installed: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# ---- tests

# A file is one worker's, since its tests share servers; the long ones, end to end, come early.
WORKERS ?= auto

test: .venv/test test-assets
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	DEBUG=on $(BIN)/mypy

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# ---- what it costs: `make bench ARGS=--quick`; benchmarks/README.md has the rest

bench: .venv/test
	.venv/bin/python -m benchmarks $(ARGS)

clean:
	rm -rf .venv var staticfiles test-artefacts $(PAGE)/dist $(PAGE)/node_modules \
	  $(CLIENTS:%=%/node_modules) example_client/javascript/legacy/node_modules
