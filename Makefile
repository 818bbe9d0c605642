# Everything a laptop or a build machine runs. `make` alone says what there is.
PYTHON ?= python3.11
SERVE ?= 1
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test check format openapi lock clean

help: ## Say what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/installed ## Make .venv with the locked versions

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## The whole loop on a generated company, then serve (SERVE=0 stops before serving)
	$(BIN)/setia demo $(if $(filter 0,$(SERVE)),--no-serve,)

test: install ## Every test
	$(BIN)/pytest

check: install ## Format, lint, types, import contracts, then every test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

format: install ## Rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

openapi: ## Write docs/openapi.json, which a test holds to the served document
	$(BIN)/python -c "from serving.api.app import openapi_text; print(openapi_text(), end='')" > docs/openapi.json

lock: ## Resolve the lock files again (needs uv): versions and hashes, no host names
	uv pip compile pyproject.toml --extra training --extra dev --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade -o requirements.lock
	uv pip compile pyproject.toml --python-version 3.11 --generate-hashes \
	  -c requirements.lock --no-emit-index-url --no-header --no-annotate -o requirements-serving.lock
	echo 'psycopg[binary]' | uv pip compile - --python-version 3.11 --generate-hashes \
	  -c requirements.lock --no-emit-index-url --no-header --no-annotate -o requirements-postgresql.lock

clean: ## Remove the environment and everything generated
	rm -rf .venv demo var build *.egg-info
