# make report | test | lab | lint | bench: each makes .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=

.PHONY: report test lab lint bench lock clean help

help:
	@echo "make report   the e-commerce report into report/ (ARGS='--source my.sql' for your own)"
	@echo "make test     every test, on real engines"
	@echo "make lab      JupyterLab on the notebooks, engines up"
	@echo "make lint     ruff, mypy, import-linter, nbstripout"
	@echo "make bench    the benchmarks"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: $(PYTHON) is older than Python 3.11: name a newer one with PYTHON=python3.12" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the pinned packages into $(VENV) (once; some minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $(READY)

report: $(READY)
	@$(BIN)/workbench report $(ARGS)

lab: $(READY)
	@$(BIN)/workbench lab $(ARGS)

test: $(READY) lint
	@$(BIN)/python -m pytest $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/nbstripout --verify --keep-id notebooks/*.ipynb

bench: $(READY)
	@$(BIN)/workbench bench $(ARGS)

lock: $(READY)
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) report build dist .pytest_cache .mypy_cache .ruff_cache
