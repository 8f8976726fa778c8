# The front door. `make demo` needs Python 3.11 or newer and nothing else; `make test` is what CI runs.

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test lint prepare twin pytest pytest-pure pure trace fuzz matrix leaves leaks bench bench-check docs clean

# Plain python3 where it is new enough, else the newest named one that is.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

# The core's own tests run under the tracer, which doubles what they cost, and must reach all of it by themselves: the
# adapters prove theirs over real sockets. The cases of its adapter kit are played by tests/adapters/test_adapter_kit.py.
COUNTED := tests/core tests/driver tests/hub tests/adapters/test_adapter_kit.py tests/adapters/test_kit_bites.py
# What stands on code that has a compiled twin, and does not run on both by itself.
ON_TWINS := tests/core/packets tests/core/testing tests/core/recorder tests/driver tests/adapters/test_adapter_kit.py \
	tests/conformance $(wildcard tests/adapters/test_sockets_*.py)
# Where the sources of the compiled twin are, and where it is put.
HOT := wsproto_core/_speedups transports/wsproto_asyncio/_speedups transports/wsproto_sockets/_speedups
# How long `make fuzz` looks.
SECONDS ?= 60

# A pure wheel must not take the place of a compiled one without anybody noticing.
ifeq ($(CI),true)
export WSPROTO_CORE_BUILD ?= require
endif

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## two browser tabs chat: http://127.0.0.1:8765/
	$(BIN)/python examples/demo/server.py

test: lint prepare twin pytest pytest-pure trace ## every gate: what .ci/run calls

lint: $(VENV)/.dev ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy & mypy=$$!; $(BIN)/pyright; pyright=$$?; wait $$mypy && exit $$pyright

prepare: $(VENV)/.dev ## install the peers that the interop tests talk to
	$(BIN)/python tools/prepare_peers.py

pytest: $(VENV)/.dev ## the tests, with the coverage gate
	$(PYTEST) --cov --cov-report=term $(COUNTED)
	$(PYTEST) $(addprefix --ignore=,$(COUNTED))

pytest-pure: $(VENV)/.dev ## what stands on the hot code, again, without the compiled twin
	WSPROTO_CORE_PUREPYTHON=1 $(PYTEST) $(ON_TWINS)

trace: $(VENV)/.twin ## does a test reach every line of the compiled twin?
	$(BIN)/python tools/trace_twin.py

pure: $(VENV)/.dev ## all tests, without the compiled twin
	WSPROTO_CORE_PUREPYTHON=1 $(PYTEST)

fuzz: $(VENV)/.twin ## look for new trouble, for SECONDS=60 or as long as you say
	$(BIN)/python -m wsproto_fuzz.targets --seconds $(SECONDS)

matrix: $(VENV)/.twin prepare ## play the conformance cases against this project's servers and others, for the docs
	$(BIN)/python tools/peers_matrix.py

twin: $(VENV)/.twin ## compile the hot code, in place; without a C compiler, say so and go on

leaves: $(VENV)/.twin ## the native leaves under sanitizers and valgrind
	$(BIN)/python tools/check_leaves.py

leaks: $(VENV)/.twin ## ten million messages through both directions: does memory stay where it is?
	$(BIN)/python tools/check_leaks.py

bench: $(VENV)/.twin ## every benchmark, about an hour on a quiet machine; writes BASELINE.md and the pictures
	for program in engine echo connections broadcast growth memory shares simulator plots baseline; do \
		$(BIN)/python benchmarks/$$program.py || exit 1; \
	done

bench-check: $(VENV)/.twin ## instructions of the hot paths, against the stored ones
	$(BIN)/python benchmarks/check.py

docs: $(VENV)/.docs ## the documentation, in docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

clean: ## remove everything that these targets made
	rm -rf $(VENV) build dist docs/_build htmlcov .coverage .coverage.* .peers.json tests/interop/node/node_modules
	rm -f $(HOT:=/*.so) $(HOT:=/*.pyd)
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of dependencies; pyproject.toml is what makes it stale.
$(VENV)/.demo: $(VENV)/.made pyproject.toml
	WSPROTO_CORE_BUILD=skip $(PIP) install -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	WSPROTO_CORE_BUILD=skip $(PIP) install -e '.[dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.twin: $(VENV)/.dev hatch_build.py $(foreach suffix,py pyx pxd h,$(wildcard $(HOT:=/*.$(suffix))))
	$(BIN)/python hatch_build.py
	@touch $@

$(VENV)/.docs: $(VENV)/.made pyproject.toml
	WSPROTO_CORE_BUILD=skip $(PIP) install -e '.[docs]'
	@touch $@ $(VENV)/.demo

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found on PATH." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@touch $@
