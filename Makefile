# `make demo` and `make test` need Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
INSTALLED := .venv/.installed
# Read by every pip below, also by the one that builds the package in an environment of its own.
# CONSTRAINTS=/dev/null takes the newest versions instead.
CONSTRAINTS ?= constraints.txt
export PIP_CONSTRAINT := $(CONSTRAINTS)
export PIP_BUILD_CONSTRAINT := $(CONSTRAINTS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-lowest coverage check format bench release clean

help: ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile

demo: $(INSTALLED) ## Learn split digits, the default experiment: a minute on a laptop
	$(BIN)/hypermnesia run --out runs/demo --overwrite

# One thread a process: tests are many and small, and as many processes as cores run them.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=auto

test: check ## What a change must pass while working: lint, types, import directions, doctests, every quick test
	$(PYTEST) -m "not slow"

# What some tests need. Where it is not installed they are left out, but never in CI.
BROWSER := $(and $(shell command -v chromium || command -v chromium-browser || command -v google-chrome),\
	$(shell command -v chromedriver))
POSTGRESQL := $(or $(shell command -v postgres),$(wildcard /usr/lib/postgresql/*/bin/postgres))
LEFT_OUT := $(if $(CI),,$(if $(BROWSER),,browser) $(if $(POSTGRESQL),,postgresql))

test-slow: $(INSTALLED) ## The rest: killed runs, many runs at once, a browser, the wheel in an empty environment
	$(PYTEST) -m "slow $(foreach what,$(LEFT_OUT),and not $(what))" tests
	@$(foreach what,$(LEFT_OUT),echo "Left out: the tests of $(what), which is not installed; see CONTRIBUTING.md.";)

coverage: $(INSTALLED) ## How much of the library half the quick tests reach; fails below the floor in pyproject.toml
	$(PYTEST) -m "not slow" --cov --cov-report=term

# uv chooses the lowest versions that pyproject.toml allows of what users install.
LOWEST := .venv-lowest/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
test-lowest: ## README's example, learners and the command with the lowest versions that are allowed; needs uv
	uv venv --quiet --clear --python 3.11 .venv-lowest
	uv pip install --quiet --python .venv-lowest --resolution lowest-direct --index-strategy unsafe-best-match \
		$(addprefix --extra-index-url ,$(PIP_EXTRA_INDEX_URL)) '.[cli]' 'beartype>=0.19' 'hypothesis>=6.120' 'pytest>=8.3'
	OMP_NUM_THREADS=1 $(LOWEST)/python -m pytest -m "not slow" \
		tests/test_readme.py tests/learners/test_contract.py tests/cli/test_cli.py tests/cli/test_use.py

check: $(INSTALLED) ## The quick half of `make test`: lint, format, types, import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/lint-imports

format: $(INSTALLED) ## Put the sources into the project's format and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED) ## Speed and memory beside the standard network and hypnettorch; BENCH="--quick --device cuda" goes to it
	$(BIN)/python -m benchmarks $(BENCH)

release: $(INSTALLED) ## Check, test, build and tag what is to be released; uploads nothing
	$(BIN)/python scripts/release.py

clean: ## Remove the environment and everything made, but no run directory
	rm -rf .venv .venv-lowest .coverage build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made anew where it cannot run pip: another Python has gone, or an earlier attempt was interrupted.
$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "hypermnesia needs Python 3.11 or newer, and '$(PYTHON)' is not:" \
			"$$($(PYTHON) --version 2>&1 || true). Name another with: make PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --editable '.[test]'
	@touch $@
