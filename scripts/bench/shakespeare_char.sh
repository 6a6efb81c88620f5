#!/usr/bin/env bash
# nanoGPT's CPU setting on tiny Shakespeare with five activations at equal parameter count: trains
# configs/small/shakespeare_char/*.json, one seed, and prints the table of docs/experiments.md.
# Usage: shakespeare_char.sh [SEED [OUT]]   after scripts/prepare_shakespeare_char.sh FILE
set -euo pipefail
cd "$(dirname "$0")/../.."
seed=${1:-1} out=${2:-runs/shakespeare_char-$seed}
if [ ! -f data/shakespeare_char/train.bin ]; then
    echo "first: scripts/prepare_shakespeare_char.sh tinyshakespeare.txt" >&2
    exit 2
fi
polytrain=build/release/polytrain
for activation in swiglu gelu relu polyrelu polynorm; do
    "$polytrain" train "configs/small/shakespeare_char/$activation.json" --set "seed=$seed" \
        --resume auto --out "$out/$activation"
done
printf '| activation | parameters | train loss | validation loss |\n|---|---|---|---|\n'
for activation in swiglu gelu relu polyrelu polynorm; do
    last=$(tail -n 1 "$out/$activation/metrics.jsonl")
    field() { sed -E "s/.*\"$1\":([0-9.]+).*/\1/" <<< "$last"; }
    parameters=$("$polytrain" plan "$out/$activation/config.json" | sed -nE 's/^parameters +//p')
    printf '| `%s` | %d | %.3f | %.3f |\n' "$activation" "$parameters" "$(field loss)" \
        "$(field val_loss)"
done
"$polytrain" report "$out"/* --out "$out/report.html"
echo "curves: $out/report.html"
