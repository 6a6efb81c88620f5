#!/usr/bin/env bash
# Prints what training steps of the paper's configs would take on H100 GPUs: a prediction from
# arithmetic, with its assumptions in words above the table (scripts/bench/roofline.cpp has them).
# Usage: roofline.sh [CONFIG.json...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${CXX:-g++}" -std=c++20 -O1 -Wall -Wextra -Wshadow -o "$folder/roofline" "$here/roofline.cpp"
if [ $# -eq 0 ]; then
    set -- configs/paper/dense_1b/{swiglu,polynorm}.json configs/paper/moe_7b/{swiglu,polynorm}.json
fi
"$folder/roofline" "$@"
