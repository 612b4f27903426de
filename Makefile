# Two commands need nothing but git, make and Python 3.11, 3.12 or 3.13:
#   make quickstart   install into .venv, then train, test and restore a photo (minutes, on a CPU)
#   make test         install into .venv, then lint, types and tests
# make weights TASK=denoise MINUTES=25 trains what the package ships; see docs/weights.md.
# PYTHON=/path/to/python chooses the interpreter for .venv, PINS=constraints-lowest.txt the oldest
# supported versions instead of the newest.

PY := .venv/bin/python
PINS := constraints.txt
PIP_INSTALL := $(PY) -m pip install --disable-pip-version-check --no-input -c $(PINS)
PYTHON_IS_FIT := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

define NO_PYTHON
No Python 3.11, 3.12 or 3.13 with its venv module was found (tried: $(PYTHONS)).
On Debian or Ubuntu:  sudo apt-get install python3 python3-venv
Elsewhere, name one:  make PYTHON=/path/to/python3.11
endef

define INSTALL_FAILED

Installation stopped; the reason is above. Usual ones: no connection to the package index,
or less than 8 GB free here or in the temporary folder (TMPDIR=/other/folder make moves it).
Then run make again: it continues where it stopped.
endef

export NO_PYTHON INSTALL_FAILED

.PHONY: quickstart test lint install doctor bench weights clean

PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3)

quickstart: .venv/.installed
	@.venv/bin/semanir-quickstart

# Two processes of one thread each: tests are many and small, and threads would wait for one another.
# In the order of their folders: files of few tests are no shorter than others, and would come last.
# Compiled tests are kept, also where the environment says otherwise: every process would compile.
JOBS := 2
test: lint
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive \
	    $(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: .venv/.installed-test
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

install: .venv/.installed

doctor: .venv/.installed
	$(PY) -m semanir_arch.doctor

bench: .venv/.installed
	$(PY) benchmarks/bench_ops.py
	$(PY) benchmarks/bench_archs.py
	$(PY) benchmarks/bench_engine.py
	$(PY) benchmarks/bench_step.py
	$(PY) benchmarks/bench_data.py
	$(PY) benchmarks/bench_metrics.py
	$(PY) benchmarks/bench_restore.py

TASK := denoise
MINUTES := 25
weights: .venv/.installed
	$(PY) -m semanir_arch.weights pack
	$(PY) -m semanir_arch.weights train $(TASK) --minutes $(MINUTES)

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

# pip is what venv writes last, so an interrupted attempt is repeated
.venv/bin/pip:
	@for python in $(PYTHONS); do \
	    if "$$python" -c '$(PYTHON_IS_FIT)' 2>/dev/null; then \
	        echo "== .venv with $$("$$python" --version)"; \
	        exec "$$python" -m venv .venv; \
	    fi; \
	done; \
	echo "$$NO_PYTHON" >&2; exit 1

# doctor knows how BasicSR is installed, and ends by saying what works here and what is missing
.venv/.installed: setup.py pyproject.toml $(PINS) | .venv/bin/pip
	@echo "== installing into .venv: some minutes and 6 GB, once"
	@{ echo "== 1/3  PyTorch" && $(PIP_INSTALL) setuptools torch torchvision && \
	   echo "== 2/3  this package and what training needs" && \
	   $(PIP_INSTALL) --no-build-isolation -e '.[train,serve]' && \
	   echo "== 3/3  BasicSR" && \
	   PIP_CONSTRAINT=$(PINS) $(PY) -m semanir_arch.doctor --repair; } || { echo "$$INSTALL_FAILED" >&2; exit 1; }
	@echo "== compiling the native attention kernels, where there is a compiler"
	@$(PY) -m semanir_arch.ops.native --optional --quiet
	@touch $@

.venv/.installed-test: .venv/.installed
	@$(PIP_INSTALL) --no-build-isolation -e '.[train,serve,export,metrics,formats,spandrel,hub,test]' || { echo "$$INSTALL_FAILED" >&2; exit 1; }
	@touch $@
