# make run      one telephone server with a sample application, until Ctrl-C
# make help     everything else
#
# Everything is installed into .venv by the first target that needs it; later calls start at once.

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	command -v $$python >/dev/null 2>&1 \
	&& $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# What pyproject.toml lists for development, whatever the age of pip.
DEV := import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"]))

# Tests wait for audio and timers more than they work: four at once keep two cores busy, not out of breath.
WORKERS ?= 4

# The tests start Python over and over: let it find what it imports compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run demo test lint bench clean peers

help: ## show this
	@echo "Ringback, the programmable voice server that you run yourself"
	@echo
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-6s %s\n' "$$name" "$$what"; done
	@echo
	@echo "  make run APP=http://127.0.0.1:5000/voice DIALECT=laml     serve your own application"
	@echo "  make run LAN=1                                            reachable from the local network"

run: $(VENV)/.installed ## serve: APP=<url> DIALECT=laml|jambonz|callapi LAN=1
	@$(BIN)/ringback demo --stay $(if $(APP),--app '$(APP)') $(if $(DIALECT),--dialect '$(DIALECT)') $(if $(LAN),--lan)

demo: $(VENV)/.installed ## a call in each dialect, end to end, watched
	@$(BIN)/ringback demo

test: $(VENV)/.developed peers ## the tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/.developed ## style, types and layering
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed ## measure this machine, in about half an hour; QUICK=1 for a first impression, in 8 minutes
	@$(BIN)/ringback bench all $(if $(QUICK),--quick)

clean: ## remove what was made here (calls and recordings in ringback-data stay, and your own WAV files)
	rm -rf $(VENV) build dist demo-out bench-results .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name '*.egg-info' -prune -exec rm -rf {} +
	find src tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml
	@test -n '$(PYTHON)' || { echo "Ringback needs Python 3.11 or newer with its venv module, and found none." \
		"Install one (Debian and Ubuntu: apt-get install python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@test -x $(BIN)/python || { echo "Making $(VENV) with $$($(PYTHON) --version) …"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing Ringback into $(VENV): a minute or two, this once …"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.developed: $(VENV)/.installed pyproject.toml
	@echo "Installing the development tools into $(VENV) …"
	@$(BIN)/python -c '$(DEV)' > $(VENV)/dev-requirements.txt
	@$(PIP) install --no-compile --requirement $(VENV)/dev-requirements.txt  # most of a client library is never imported
	@touch $@

# SIPp and baresip are the real peers of the interoperability tests; without them those tests are skipped.
peers:
	@.ci/peers
