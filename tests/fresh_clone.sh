#!/usr/bin/env bash
# Runs `make test` where nothing is left of earlier runs and something else wants the processor:
#
#   tests/fresh_clone.sh [TIMES]        default: 3
#   PYTHONS="python3.11 python3.12 python3.13" tests/fresh_clone.sh     one run with each
#
# Needs git, make, Python, 8 GB and, unless pip's cache has all, the network. Every time it clones the
# last commit of this checkout, gives the tests empty caches for what torch, Triton and the compiler
# of torch build, and keeps as many processes busy as BUSY says (default: 2). What is not committed is
# not tested. Data sets of this checkout are linked, so that no test skips that does not skip here.
# pip's cache stays as it is: it saves a download and decides nothing. The log of a run that fails is
# kept as fresh_clone_N.log in the folder where this was started.
set -euo pipefail
here=$PWD
source=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
busy=${BUSY:-2}
if [[ -n ${PYTHONS:-} ]]; then
    read -ra pythons <<<"$PYTHONS"
    (($# == 0)) || { echo "PYTHONS says how often: leave out $*" >&2; exit 2; }
else
    times=${1:-3}
    [[ $times =~ ^[1-9][0-9]*$ ]] || { echo "TIMES: received $times; a number is needed" >&2; exit 2; }
    pythons=()
    for ((run = 0; run < times; run++)); do
        pythons+=("${PYTHON:-}")
    done
fi

# Names that only another version of pyenv has are found there.
find_python() {
    local version
    if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$(pyenv whence "$1" 2>/dev/null | tail -1)
        [[ -n $version ]] || return 1
        set -- "$(pyenv prefix "$version")/bin/$1"
        "$1" -c 'import ensurepip, venv' 2>/dev/null || return 1
    fi
    echo "$1"
}
for index in "${!pythons[@]}"; do
    name=${pythons[index]}
    [[ -z $name ]] || pythons[index]=$(find_python "$name") || {
        echo "$name: no Python with its venv module" >&2
        exit 2
    }
done

work=$(mktemp -d)
neighbours=()
finish() {
    for neighbour in "${neighbours[@]}"; do
        kill "$neighbour" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for ((number = 0; number < busy; number++)); do
    # ends by itself when this script is killed
    (while kill -0 $$ 2>/dev/null; do for ((n = 0; n < 100000; n++)); do :; done; done) &
    neighbours+=($!)
done

# nothing of this checkout or its environment may be found instead of the clone's
unset PYTHONPATH VIRTUAL_ENV SEMANIR_NATIVE MAKEFLAGS PYTHON
failed=0
run=0
for python in "${pythons[@]}"; do
    run=$((run + 1))
    clone=$work/clone
    caches=$work/caches
    log=$work/run.log
    git clone --quiet --no-hardlinks "$source" "$clone"
    for folder in "$source"/datasets/*/; do
        [[ -d $folder ]] || continue
        mkdir -p "$clone/datasets"
        ln -sfn "$(realpath "$folder")" "$clone/datasets/$(basename "$folder")"
    done
    mkdir "$caches"
    began=$SECONDS
    if TORCH_EXTENSIONS_DIR=$caches/extensions TRITON_CACHE_DIR=$caches/triton \
        TORCHINDUCTOR_CACHE_DIR=$caches/inductor \
        make -C "$clone" test ${python:+PYTHON="$python"} </dev/null >"$log" 2>&1; then
        result=green
    else
        result=RED
        failed=1
        cp "$log" "$here/fresh_clone_$run.log"
    fi
    version=$("$clone/.venv/bin/python" --version 2>/dev/null || echo "no Python")
    echo "$run of ${#pythons[@]}: $result with $version after $((SECONDS - began)) s beside $busy busy" \
        "processes: $(grep -E '[0-9]+ (passed|failed|error)' "$log" | tail -1 || true)"
    rm -rf "$clone" "$caches"
done
exit "$failed"
