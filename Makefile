# `make demo` and `make test` need Python 3.11 or newer and nothing else: they make their own environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint generated fuzz mutations clean

demo: $(VENV)/demo
	$(BIN)/symbackprop train

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal  # tests of one file stay together, with what they have compiled

lint: $(VENV)/test
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

generated: $(VENV)/test  ## write the committed modules again
	$(BIN)/python -m pytest tests/test_generated.py --rewrite

COUNT ?= 10000
SEED ?= 1

fuzz: $(VENV)/test  ## look at random formulas and networks: COUNT of each, from SEED on; a fault is printed as a test
	$(BIN)/python -m tests.fuzz networks --count $(COUNT) --seed $(SEED)
	$(BIN)/python -m tests.fuzz formulas --count $(COUNT) --seed $(SEED)

mutations: $(VENV)/test  ## put in plausible bugs one at a time: which of them no test sees
	$(BIN)/python -m tests.mutations

$(VENV)/%: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$*]"
	touch $@

clean:
	rm -rf $(VENV) out
