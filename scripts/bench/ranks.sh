#!/usr/bin/env bash
# Two ranks of one thread against one rank of two threads, in turn: tokens per second of the small
# dense and mixture models, as medians over the steps of a run and then over the rounds.
# Usage: ranks.sh [ROUNDS] [STEPS]   (default 5 rounds of 12 steps)
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5} steps=${2:-12}
polytrain=build/release/polytrain
[ -x "$polytrain" ] || { echo "build first: cmake --preset release && cmake --build --preset release" >&2; exit 2; }
command -v mpirun > /dev/null || { echo "ranks.sh needs mpirun (scripts/install_dependencies.sh)" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
as_root=()
[ "$(id -u)" != 0 ] || as_root=(--allow-run-as-root)

median() { sort -g | awk '{x[NR] = $1} END {print NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2}'; }

# speed NAME COMMAND...: tokens per second of a training run, all but its first two steps.
speed() {
    local out="$folder/run"
    rm -rf "$out"
    "${@:2}" "$polytrain" train "$folder/$1.json" --out "$out" > "$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
    grep -o '"tokens_per_s":[0-9.e+]*' "$out/metrics.jsonl" | tail -n +3 | cut -d: -f2 | median
}

# extend NAME BASE KEYS: a config on synthetic tokens, so that no file is needed.
extend() {
    cat > "$folder/$1.json" <<JSON
{"extends": "$PWD/configs/$2", "model": {"vocab_size": 256},
 "data": {"train": [], "validation": {}, "synthetic": true},
 "train": {"steps": $steps, "eval_sequences": 1, "eval_every": 0, "checkpoint_every": 0, "tensorboard": false$3},
 "optimizer": {"schedule": {"kind": "constant", "warmup_steps": 0}}}
JSON
}
extend dense quickstart.json ', "batch": 16, "micro_batch": 4'
extend moe small/moe_polynorm.json ''
extend expert small/moe_polynorm.json ''
sed -i 's/"optimizer"/"parallel": {"expert": 2}, "optimizer"/' "$folder/expert.json"

one_rank=(env OMP_NUM_THREADS=2)
two_ranks=(env OMP_NUM_THREADS=1 mpirun "${as_root[@]}" -np 2 --bind-to core)
for pair in "dense dense" "moe moe" "moe expert"; do
    read -r alone spread <<< "$pair"
    : > "$folder/ratios"
    for ((round = 0; round < rounds; ++round)); do
        a=$(speed "$alone" "${one_rank[@]}")
        b=$(speed "$spread" "${two_ranks[@]}")
        awk -v a="$a" -v b="$b" 'BEGIN {print b / a}' >> "$folder/ratios"
    done
    what=$spread
    [ "$spread" != expert ] || what="moe, parallel.expert 2"
    printf '%-24s two ranks / one rank: median %.3f of' "$what" "$(median < "$folder/ratios")"
    printf ' %.3f' $(cat "$folder/ratios")
    printf '\n'
done
