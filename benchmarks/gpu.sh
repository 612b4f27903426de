#!/usr/bin/env bash
# Everything about the operators that needs a GPU, in under ten minutes: tests, then times.
# Needs torch and triton, and pytest for the tests; no other part of the project's installation.
#   benchmarks/gpu.sh [python]
set -uo pipefail
cd "$(dirname "$0")/.."
python=${1:-python}
export PYTHONPATH=$PWD
results=benchmarks/results
report=$results/gpu_$(date -u +%F).md
mkdir -p "$results"

if "$python" -c 'import pytest' 2>/dev/null; then
    log=$(mktemp)
    timeout 280 "$python" -m pytest -q -m gpu tests/ops/test_triton_gpu.py 2>&1 | tee "$log" | tail -30
    tests=$(tail -1 "$log")
else
    tests="not run: pytest is not installed"
fi
timeout 300 "$python" benchmarks/bench_ops.py --rounds 5 --output "$report"
status=$?
printf '\nTests (`tests/ops/test_triton_gpu.py`): %s\n' "$tests" >> "$report"
exit "$status"
