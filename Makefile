# Everything a developer or a newcomer types. Needs only Python >= 3.11 and make.
# With another Python beside the usual one: make PYTHON=python3.13 VENV=.venv-3.13 test
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
LOCKED ?= requirements.txt
LOCKED_DEV ?= requirements-dev.txt
ARGS ?=
# Where `make install` puts it; DESTDIR is for those who build packages.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=

.DEFAULT_GOAL := help
.PHONY: help demo install uninstall test test-lowest check format pages bench lock clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The package alone, with the locked dependencies: enough for demo.
$(VENV)/.installed: $(LOCKED) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "credit-monitor needs Python 3.11 or newer; call make PYTHON=python3.11"; exit 1; }
	@echo "Creating $(VENV) (once, about half a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# And what tests and checks need.
$(VENV)/.developing: $(VENV)/.installed $(LOCKED_DEV)
	@echo "Installing the development tools ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKED_DEV)
	@touch $@

demo: $(VENV)/.installed ## the whole product without an account: simulated provider, daemon, alerts, web page
	@$(BIN)/credit-monitor demo $(ARGS)

install: ## as a system service, below PREFIX (/usr/local); again to upgrade
	@PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" DESTDIR="$(DESTDIR)" PYTHON="$(PYTHON)" LOCKED="$(LOCKED)" sh scripts/install install

uninstall: ## take that away again; configuration and records stay
	@PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)" DESTDIR="$(DESTDIR)" sh scripts/install uninstall

test: $(VENV)/.developing ## all tests (what needs a missing external program is skipped by name)
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-lowest: ## the tests with every direct dependency as old as pyproject.toml allows
	@$(MAKE) --no-print-directory VENV=.venv-lowest LOCKED=requirements-lowest.txt LOCKED_DEV=requirements-lowest.txt test

check: $(VENV)/.developing ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.developing ## rewrite the sources in the house style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

pages: $(VENV)/.developing ## write anew what is made from the code: docs/providers.md, the man page, completion, licences
	@$(BIN)/python scripts/provider_page.py
	@$(BIN)/python scripts/manual_page.py
	@$(BIN)/python scripts/completion.py
	@$(BIN)/python scripts/licences.py

bench: $(VENV)/.developing ## measure; prints tables of ratios, asserts nothing
	@$(BIN)/python -m benchmarks $(ARGS)

lock: ## write requirements*.txt anew from pyproject.toml
	@sh scripts/lock

clean: ## remove what the other targets made
	@rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
