# `make conformance` and `make test` need python3 (3.11 or later, with venv) and nothing else: the first of
# them to run sets up .venv, later ones start at once. `make help` lists what there is.

PYTHON ?= python3
TARGET ?= moto
ARGS ?=

VENV := .venv
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help conformance test lint setup requirements clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 24
	@echo "Variables: TARGET (of conformance: $(TARGET)), ARGS (more for pytest), PYTHON (to set up with: $(PYTHON))"

conformance: $(READY)  ## run the suites and write compliance-report/
	@$(RUN) pytest -q --target='$(TARGET)' $(ARGS)

test: $(READY)  ## run the tool's own tests
	@$(RUN) pytest -q tests $(ARGS)

lint: $(READY)  ## ruff and mypy
	@$(RUN) ruff check --quiet .
	@$(RUN) mypy

setup: $(READY)  ## set up .venv
	@:

$(READY): requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: found no $(PYTHON); install Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("error: $(PYTHON) is %d.%d; expected Python 3.11 or later, name one: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) has no venv; install it (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "setting up $(VENV): once, about a minute"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(RUN) pip install -qq --disable-pip-version-check --no-input -r requirements.txt
	@touch $@

requirements:  ## pin the newest versions that pyproject.toml admits in requirements.txt
	@set -e; new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; \
	$(PYTHON) -m venv "$$new/venv"; \
	"$$new/venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input -e '.[dev]'; \
	{ sed '/^[^#]/,$$d' requirements.txt; "$$new/venv/bin/python" -m pip freeze -qq --exclude-editable; } >"$$new/requirements.txt"; \
	cp "$$new/requirements.txt" requirements.txt; echo "wrote requirements.txt"

clean:  ## remove .venv, reports and caches
	rm -rf $(VENV) compliance-report allure-results *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
