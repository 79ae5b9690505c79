# Two commands matter on a new machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
DEMO_SCALE ?= 0.13
DEMO_SMEFT ?= demo-smeft
DEMO_SMEFT_SCALE ?= 0.05
DEMO_AGC ?= demo-agc
# The standard sample and what is made of it are large: outside the repository. It has merged jets, Wt and
# misidentified leptons where Sherpa is to be had (Python 3.12 and 3.13 on Linux).
SAMPLE ?= $(HOME)/.cache/znought/standard
SAMPLE_CARD = $(shell $(BIN)/python -c 'import Sherpa' 2>/dev/null && echo analyses/vh_ww_merged.yaml || echo analyses/vh_ww.yaml)
# Two workers' worth of BLAS threads would fight over two cores.
export OMP_NUM_THREADS ?= 1
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo demo-agc demo-smeft docs test test-docs test-report test-fuzz test-sites sample check setup clean

setup: $(VENV)/.done

$(VENV)/.done: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), "znought needs Python 3.11 to 3.13"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	$(BIN)/znought run analyses/vh_ww.yaml --events-scale $(DEMO_SCALE) --output $(DEMO)

demo-smeft: setup
	$(BIN)/znought run analyses/vh_bb_smeft.yaml --events-scale $(DEMO_SMEFT_SCALE) --output $(DEMO_SMEFT)

demo-agc: setup
	$(BIN)/znought run analyses/agc_ttbar.yaml --unblind --output $(DEMO_AGC)

sample: setup
	$(BIN)/znought simulate $(SAMPLE_CARD) --output $(SAMPLE)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Two processes, whatever the machine has: many tests start clusters of their own. A file stays in one of
# them, with its fixtures.
test: check
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder

# Against real servers of Debian's packages, which this installs and starts on loopback: as root.
test-sites: setup
	tests/sites/slurm.sh start
	$(BIN)/pytest -q tests/sites

# Spoiled files and cards by the hundred, in two processes.
test-fuzz: setup
	$(BIN)/pytest -q -m fuzz tests/fuzz

# The documentation, into docs/_build/html.
docs: setup
	$(BIN)/python -m sphinx -q -W --keep-going -E -b html docs docs/_build/html

# The documentation built with warnings as errors, its links followed, the code of its pages and notebooks run.
test-docs: setup
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/docs

# The report in headless Chromium, which must be there; axe-core's rules where AXE_CORE names its axe.min.js.
test-report: setup
	$(BIN)/pytest -q tests/browser

clean:
	rm -rf $(DEMO) $(DEMO_SMEFT) $(DEMO_AGC) build dist docs/_build *.egg-info
