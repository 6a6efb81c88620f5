#!/usr/bin/env bash
# Prepares a text for configs/small/shakespeare_char/: its characters as tokens, the last tenth
# held out, in data/shakespeare_char. The text meant is tinyshakespeare.txt (karpathy/char-rnn).
# Usage: prepare_shakespeare_char.sh FILE
set -euo pipefail
if [ $# -ne 1 ] || [ ! -f "$1" ]; then
    sed -n '4s/^# //p' "$0"
    exit 2
fi
file=$(realpath "$1")
cd "$(dirname "$0")/.."

polytrain=build/release/polytrain
if [ ! -x "$polytrain" ]; then
    scripts/install_dependencies.sh
    cmake --preset release -DPOLYTRAIN_TESTS=OFF
    cmake --build --preset release --target polytrain
fi
"$polytrain" prepare --tokenizer chars --validation 0.1 --out data/shakespeare_char "$file"
echo "Now: scripts/bench/shakespeare_char.sh, or $polytrain train configs/small/shakespeare_char/polynorm.json"
