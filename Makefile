# `make demo` shows what capsule does, `make unit` runs the fast tests, `make test` all tests.
# Each makes its own environment in .environments; that of `make unit` has no TensorFlow.
#   make unit T=tests/unit/test_wire.py K=bfloat16    some tests: a path, and pytest's -k
#   make unit PYTHON=python3.9                        that Python and no other

TESTS := tests --ignore tests/interpreters --ignore tests/kerases
FAST := tests/unit tests/property tests/test_architecture.py tests/test_readme.py
CHOSEN = $(if $(K),-k '$(K)') --numprocesses auto
VERSION := $(if $(PYTHON),$(shell $(PYTHON) -c 'import sys; print("-%d.%d" % sys.version_info[:2])'))
MAIN := .environments/main$(VERSION)
UNIT := .environments/unit$(VERSION)

.PHONY: demo unit test test-interpreters test-kerases lint clean

demo: $(MAIN)/ready
	$(MAIN)/bin/python sample_models/demo.py

# Without TensorFlow, a network, or a distribution from any index.
unit: $(UNIT)/ready
	$(UNIT)/bin/python -m pytest $(or $(T),$(FAST)) $(CHOSEN) -m 'not tensorflow and not installers'

test: $(MAIN)/ready
	$(MAIN)/bin/python -m pytest $(or $(T),$(TESTS)) $(CHOSEN) --dist loadfile

# The tests against the other Pythons of this machine; those not found are skipped.
test-interpreters: $(MAIN)/ready
	$(MAIN)/bin/python -m pytest tests/interpreters $(CHOSEN)

# The guest in every Keras, or in those that KERASES names: make test-kerases KERASES="2.8 3.0".
# Their environments need 25 GB, shared with uv's cache, and are kept.
test-kerases: $(MAIN)/ready
	KERASES="$(KERASES)" $(MAIN)/bin/python -m pytest tests/kerases $(CHOSEN) --dist loadgroup

lint: $(MAIN)/ready
	$(MAIN)/bin/ruff check .
	$(MAIN)/bin/ruff format --check .
	$(MAIN)/bin/mypy
	$(MAIN)/bin/lint-imports --no-cache

clean:
	rm -rf .environments

# Marked ready last: an environment that was interrupted is made anew.
.environments/%/ready: pyproject.toml sample_models/requirements.txt sample_models/make_environment.py
	$(or $(PYTHON),python3) sample_models/make_environment.py $(@D) $(firstword $(subst -, ,$*)) \
	    $(if $(PYTHON),--this-python)
	touch $@
