#!/usr/bin/env bash
# Builds the fuzz targets (fuzz/) with clang and runs each for so many seconds, as many at a time as
# there are processors. A crash, hang or leak fails, and the input that shows it is named. What was
# learned stays in build/fuzz/corpus for the next time.
# Usage: fuzz.sh [SECONDS=60] [TARGET...]   e.g. fuzz.sh 3600 megatron_index
set -euo pipefail
cd "$(dirname "$0")/.."

export seconds=${1:-60} folder=build/fuzz/fuzz
[ $# -eq 0 ] || shift
if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
    sed -n '5s/^# //p' "$0"
    exit 2
fi

scripts/install_dependencies.sh --fuzz
cmake --preset fuzz
cmake --build --preset fuzz
"$folder"/make_seeds build/fuzz/seeds

if [ $# -eq 0 ]; then
    for target in "$folder"/fuzz_*; do
        [ -f "$target" ] && [ -x "$target" ] && set -- "$@" "${target#"$folder"/fuzz_}"
    done
fi

# run_target NAME: quiet but for one line, unless it fails.
run_target() {
    local name=$1 log=build/fuzz/$1.log
    mkdir -p "build/fuzz/corpus/$name" "build/fuzz/seeds/$name" "build/fuzz/found/$name"
    if "$folder/fuzz_$name" "build/fuzz/corpus/$name" "build/fuzz/seeds/$name" \
        -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/found/$name/" > "$log" 2>&1; then
        echo "fuzz $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, well"
        return
    fi
    tail -n 60 "$log"
    echo "fuzz $name: FAILED (the whole log: $log). The input that shows it:" \
        "$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"
    return 1
}
export -f run_target
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'run_target "$1"' _ {}
