# The two commands: `make demo` shows what capsule does, `make test` runs its tests.
# Both make their own environment in .environments, with real TensorFlow.

PYTHON ?= python3
ENVIRONMENT := .environments/main
BIN := $(ENVIRONMENT)/bin
READY := $(ENVIRONMENT)/ready

.PHONY: demo test test-interpreters test-kerases lint clean

demo: $(READY)
	$(BIN)/python sample_models/demo.py

test: $(READY)
	$(BIN)/python -m pytest tests --ignore tests/interpreters --ignore tests/kerases \
		--numprocesses auto --dist loadfile

# The tests against the other Pythons of this machine; those not found are skipped.
test-interpreters: $(READY)
	$(BIN)/python -m pytest tests/interpreters --numprocesses auto

# The guest in every Keras, or in those that KERASES names: make test-kerases KERASES="2.8 3.0".
# Their environments need 25 GB, shared with uv's cache, and are kept.
test-kerases: $(READY)
	KERASES="$(KERASES)" $(BIN)/python -m pytest tests/kerases --numprocesses auto --dist loadgroup

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean:
	rm -rf .environments

# Marked ready last: an environment that was interrupted is made anew.
$(READY): pyproject.toml sample_models/requirements.txt sample_models/make_environment.py
	$(PYTHON) sample_models/make_environment.py $(ENVIRONMENT)
	touch $@
