#!/usr/bin/env bash
# Everything about the operators that needs a GPU, in under ten minutes: tests, then times.
# Needs torch and triton; pytest for the tests, scikit-image for the photographs; not BasicSR.
#   benchmarks/gpu.sh [python [FOLDER]]      writes FOLDER/gpu_DATE.md (benchmarks/results)
#   DRY_RUN=1 benchmarks/gpu.sh python /tmp  the same steps in small, also where there is no GPU
# Every step has a process and a time limit of its own: what fails or hangs costs only itself, and
# what it has written until then stays in the report.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
results=${2:-benchmarks/results}
report=$results/gpu_$(date -u +%F).md
log=$(mktemp)
small=${DRY_RUN:+--dry-run}
seconds=$([[ -n ${DRY_RUN:-} ]] && echo 3 || echo 35)
failed=0
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1
mkdir -p "$results"
: > "$report"

# step SECONDS TITLE COMMAND...: run it, note its last line and its exit status in the log.
step() {
    local seconds=$1 title=$2
    shift 2
    local left=$((590 - SECONDS))
    ((seconds < left)) || seconds=$left
    if ((seconds < 5)); then
        echo "| $title | no time left | |" >> "$log.steps"
        return
    fi
    local start=$SECONDS
    timeout -s INT -k 10 "$seconds" "$@" 2>&1 | tee "$log"
    local status=${PIPESTATUS[0]}
    ((status == 0)) || failed=1
    echo "| $title | exit status $status after $((SECONDS - start)) s | $(tail -n 1 "$log" | tr '|' '/') |" >> "$log.steps"
}

# bench SECONDS PART [OPTION...]: a part of bench_ops.py, appended to the report line by line.
bench() {
    local seconds=$1 part=$2
    shift 2
    step "$seconds" "times: $part" "$python" benchmarks/bench_ops.py "$part" --rounds 5 $small "$@"
    { grep -E '^(\||#|[0-9]{4}-|Command|Random)' "$log"; echo; } >> "$report"
}

tests=(tests/ops/test_triton_gpu.py -m gpu -q -rfE --tb=line -p no:cacheprovider)
"$python" -c 'import xdist' 2> /dev/null && workers=(-n 8)
step 20 "machine" nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
step 180 "tests" "$python" -m pytest "${tests[@]}" ${workers[@]+"${workers[@]}"}
cp "$log" "$results/gpu_tests.log"
bench 90 forward
bench 110 backward
bench 30 dictionary
bench 90 photographs --seconds "$seconds"
if command -v compute-sanitizer > /dev/null; then
    PYTORCH_NO_CUDA_MEMORY_CACHING=1 step 60 "compute-sanitizer" \
        compute-sanitizer --error-exitcode 1 "$python" -m pytest "${tests[@]}" -k "70-30 or float16"
fi
bench 80 flex

{ printf '## Steps\n\n| step | how it ended | last line |\n| --- | --- | --- |\n'; cat "$log.steps"; } >> "$report"
cat "$log.steps"
echo "report: $report"
exit "$failed"
