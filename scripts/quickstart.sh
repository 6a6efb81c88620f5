#!/usr/bin/env bash
# From nothing to a trained model: installs packages, builds, prepares real text, trains a small
# PolyNorm Transformer on the CPU, samples from it and draws its loss. Run it again to train anew.
set -euo pipefail
cd "$(dirname "$0")/.."
run=runs/quickstart

scripts/install_dependencies.sh
cmake --preset release -DPOLYTRAIN_TESTS=OFF > build-release.log 2>&1 || { cat build-release.log; exit 1; }
rm -f build-release.log
cmake --build --preset release --target polytrain
polytrain=build/release/polytrain

scripts/prepare_quickstart_text.sh data/quickstart/text.txt
"$polytrain" prepare --out data/quickstart data/quickstart/text.txt

rm -rf "$run"
"$polytrain" train configs/quickstart.json --out "$run"

echo
echo "A sample:"
"$polytrain" sample "$run" --prompt "And the king" --tokens 400 --temperature 0.7
"$polytrain" report "$run" --out "$run/report.html" > /dev/null
cat <<TEXT

Loss picture   $run/report.html  (open it in a browser)
Metrics        $run/metrics.jsonl
Checkpoint     $(ls -d "$run"/checkpoints/step-* | sort -V | tail -n 1)

Try another activation: $polytrain train configs/quickstart.json --out runs/swiglu \\
    --set model.feed_forward.activation=swiglu --set model.feed_forward.hidden=352
and compare: $polytrain report $run runs/swiglu --out runs/compare.html
TEXT
