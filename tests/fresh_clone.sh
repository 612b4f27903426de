#!/usr/bin/env bash
# Runs `make test` where nothing is left of earlier runs and something else wants the processor:
#
#   tests/fresh_clone.sh [TIMES]        default: 3; needs git, make, a Python, 6 GB and the network
#
# Every time it clones the last commit of this checkout, gives the tests empty caches for what torch,
# Triton and the compiler of torch build, and keeps as many processes busy as BUSY says (default: 2).
# What is not committed is not tested. Data sets of this checkout are linked, so that no test skips
# that does not skip here. PIP_CACHE_DIR stays as it is: it saves a download and decides nothing.
set -euo pipefail
source=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
times=${1:-3}
busy=${BUSY:-2}

work=$(mktemp -d)
neighbours=()
finish() {
    for neighbour in "${neighbours[@]}"; do
        kill "$neighbour" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT

for ((number = 0; number < busy; number++)); do
    (while :; do :; done) &
    neighbours+=($!)
done

# nothing of this checkout or its environment may be found instead of the clone's
unset PYTHONPATH VIRTUAL_ENV SEMANIR_NATIVE
failed=0
for ((run = 1; run <= times; run++)); do
    clone=$work/clone$run
    git clone --quiet --no-hardlinks "$source" "$clone"
    if [[ -d $source/datasets ]]; then
        mkdir -p "$clone/datasets"
        for folder in "$source"/datasets/*/; do
            [[ -d $folder ]] && ln -sfn "$(realpath "$folder")" "$clone/datasets/$(basename "$folder")"
        done
    fi
    caches=$work/caches$run
    mkdir "$caches"
    began=$SECONDS
    if TORCH_EXTENSIONS_DIR=$caches/extensions TRITON_CACHE_DIR=$caches/triton \
        TORCHINDUCTOR_CACHE_DIR=$caches/inductor make -C "$clone" test >"$work/run$run.log" 2>&1; then
        result=green
    else
        result=RED
        failed=1
        cp "$work/run$run.log" "fresh_clone_$run.log"
    fi
    echo "$run of $times: $result after $((SECONDS - began)) s beside $busy busy processes:" \
        "$(grep -E '(passed|failed)' "$work/run$run.log" | tail -1)"
    rm -rf "$clone" "$caches"
done
exit "$failed"
