# Every target makes its own virtual environment first: `make test` is all a clean clone needs.
#   make test PYTHON=python3.13 VENV=.venv-3.13     another interpreter, another environment
PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2
TESTS  ?= tests
DEMO   ?= examples/suite/softmax_norms.py:softmax
MACHINE ?= ox-card

BIN     := $(VENV)/bin
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
STAMP   := $(VENV)/.installed-$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help demo test slow lint bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## compile one kernel, run the machine code against NumPy, show the report
	$(BIN)/oxegg compile $(DEMO) --machine $(MACHINE) -o out/demo
	$(BIN)/oxegg run out/demo
	@echo "the whole story as a page: out/demo/report.html"

test: $(STAMP) ## the fast tests (minutes on 2 cores)
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not slow" $(TESTS)

slow: $(STAMP) ## the long campaigns (hours)
	$(BIN)/pytest -n $(JOBS) -m slow --timeout 7200 $(TESTS)

lint: $(STAMP) ## ruff, pyright strict, the layer contract
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(STAMP) ## the whole kernel suite on one machine (MACHINE=ox-card)
	$(BIN)/oxegg bench --machine $(MACHINE) --jobs $(JOBS) --json out/bench-$(MACHINE).json

clean: ## remove the environment and everything built
	rm -rf $(VENV) build dist out oxegg.egg-info .pytest_cache .ruff_cache

# An environment of another Python is remade; an older one of this Python is brought up to date.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "oxegg needs Python 3.11 or newer; \"$(PYTHON)\" is $(or $(VERSION),not a working Python)" >&2; \
	  echo "  hint: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@test "$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$(VERSION)" \
	  || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@
