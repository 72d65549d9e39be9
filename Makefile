# Everything runs in .venv, which `scripts/bootstrap.py` keeps in step with uv.lock.

.DEFAULT_GOAL := help
.PHONY: help up down status check test prove bench docs client runtime format clean

# Read anew when the lock, the project or the bootstrap itself changes.
READY := .venv/.bootstrapped
BIN := .venv/bin
# The vendors' own clients, for tests alone: read anew when their lock changes.
CLIENTS := node_modules/.installed

# uv brings certificates of its own; this machine may trust more, say a company's proxy.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= true
endif

# Images set it to stay small; then every process here would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): uv.lock pyproject.toml scripts/bootstrap.py
	@python3 scripts/bootstrap.py

$(CLIENTS): package.json package-lock.json
	@if command -v npm >/dev/null && npm ci --loglevel=error >&2; then touch $@; else \
	  echo "The vendors' own clients need npm, of Node 20.19 or newer: their tests are skipped" >&2; \
	  case "$$CI" in ""|0|false) ;; *) echo "error: in CI no test may be skipped unseen" >&2; exit 1;; esac \
	fi

up: $(READY) ## Run the app as Lambda would, until Ctrl-C (ARGS="--port 9000")
	@$(BIN)/bough up $(ARGS)

down: $(READY) ## Stop it from another terminal
	@$(BIN)/bough down

status: $(READY) ## Show its URLs and processes
	@$(BIN)/bough status

check: $(READY) ## Lint, format, types, import rules, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/unit/docs

test: $(READY) $(CLIENTS) ## Run the tests against real PostgreSQL and PgBouncer (ARGS="-k name")
	@# In the files' own order: the few that take longest come first, so that no worker ends up waiting.
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not prove" $(ARGS)

prove: $(READY) $(CLIENTS) ## Run the slow proofs: chaos, load, whole projects
	$(BIN)/pytest -m prove $(ARGS)

bench: $(READY) ## Measure, and compare with the figures in docs/
	$(BIN)/python -m tests.benchmarks $(ARGS)

docs: $(READY) ## Write docs/reference/ anew from the code
	$(BIN)/python -m scripts.reference

client: docs ## Generate a typed Python client of the API into clients/python
	PATH="$(CURDIR)/$(BIN):$$PATH" openapi-python-client generate --path docs/reference/openapi.json \
	  --config clients/config.yml --meta uv --output-path clients/python --overwrite --fail-on-warning

runtime: $(READY) ## Install Lambda's Python, which compiles what ships
	$(BIN)/uv python install --no-bin "$$($(BIN)/python -c 'from pathlib import Path; from infra.config import load_project; \
	  print(load_project(Path.cwd()).aws.runtime.removeprefix("python"))')"

format: $(READY) ## Format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: $(READY) ## Stop the local world and delete its data and every cache
	$(BIN)/bough down --delete
	rm -rf .bough .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist node_modules
