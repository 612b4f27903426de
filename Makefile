# Two commands need nothing but git, make and Python 3.10, 3.11 or 3.12:
#   make quickstart   install into .venv, then train, test and restore a photo (minutes, on a CPU)
#   make test         install into .venv, then lint, types and tests
# make weights TASK=denoise MINUTES=25 trains what the package ships; see docs/weights.md.
# PYTHON=/path/to/python chooses the interpreter for .venv.

PY := .venv/bin/python
PIP_INSTALL := $(PY) -m pip install --disable-pip-version-check --no-input -c constraints.txt
PYTHON_IS_FIT := import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))

QUICK := quickstart/SemanIR_tiny_denoising
QUICK_PHOTO := chelsea

define NO_PYTHON
No Python 3.10, 3.11 or 3.12 with its venv module was found (tried: $(PYTHONS)).
On Debian or Ubuntu:  sudo apt-get install python3 python3-venv
Elsewhere, name one:  make PYTHON=/path/to/python3.11
endef

define INSTALL_FAILED

Installation stopped; pip's reason is above. Usual ones: no connection to the package index,
or less than 8 GB free here or in the temporary folder (TMPDIR=/other/folder make moves it).
Then run make again: it continues where it stopped.
endef

export NO_PYTHON INSTALL_FAILED

.PHONY: quickstart test lint install doctor bench weights clean

PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.10 python3)

quickstart: .venv/.installed
	@echo "== 1/4  training patches from scikit-image's photographs"
	@$(PY) datasets_prep/extract_patches.py --input skimage --output datasets/quickstart/train \
	    --size 128 --step 96 --exclude ihc retina hubble_deep_field \
	    --holdout chelsea coffee --holdout-output datasets/quickstart/test
	@echo "== 2/4  training"
	@$(PY) train.py -opt options/train/$(QUICK).yml --auto_resume
	@echo "== 3/4  testing on two photographs that training never saw"
	@$(PY) test.py -opt options/test/$(QUICK).yml
	@echo "== 4/4  restoring one noisy photograph"
	@$(PY) datasets_prep/generate_lq.py --damage gaussian --sigma 25 --seed 0 \
	    datasets/quickstart/test/$(QUICK_PHOTO).png datasets/quickstart/noisy/$(QUICK_PHOTO).png
	@.venv/bin/semanir-restore datasets/quickstart/noisy/$(QUICK_PHOTO).png -o results/quickstart \
	    --weights experiments/$(notdir $(QUICK))/models/net_g_latest.pth --compare --overwrite
	@echo "== done: table        results/$(notdir $(QUICK))/report.md"
	@echo "         before/after results/quickstart/$(QUICK_PHOTO)_compare.png"

# two processes of one thread each: tests are many and small, and threads would wait for one another
JOBS := 2
test: lint
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(PY) -m pytest -n $(JOBS) --dist loadfile

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

# BasicSR's own build imports torch, and its requirements name the dead tb-nightly; hence the order,
# no build isolation (which would download a second torch) and --no-deps: extra `train` has its needs
.venv/.installed: setup.py pyproject.toml constraints.txt | .venv/bin/pip
	@echo "== installing into .venv: some minutes and 6 GB, once"
	@{ $(PIP_INSTALL) setuptools wheel cython numpy torch torchvision && \
	   $(PIP_INSTALL) --no-build-isolation -e '.[train,serve]' && \
	   $(PIP_INSTALL) --no-build-isolation --no-deps basicsr; } || { echo "$$INSTALL_FAILED" >&2; exit 1; }
	@touch $@

.venv/.installed-test: .venv/.installed
	@$(PIP_INSTALL) --no-build-isolation -e '.[train,serve,export,metrics,test]' || { echo "$$INSTALL_FAILED" >&2; exit 1; }
	@touch $@
