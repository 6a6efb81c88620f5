#!/usr/bin/env bash
# What determinism costs: the products of a training step cut into parts that don't depend on the
# number of threads, as they are computed here, against the same by one call of oneDNN with its own
# threads, which may cut sums by their number. In turn; medians. Results in runs/bench/.
# Usage: determinism.sh [PRECISION...]   (default: f32 and bf16)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/build.sh" polytrain_determinism_bench
PYTHONPATH=$here /usr/bin/python3 - "$@" <<'PYTHON'
import json
import sys
import measure

rows, records = [], []
for precision in measure.precisions(sys.argv[1:] or ["f32", "bf16"]):
    # oneDNN's threads would wait in a loop, and take the processor from ours.
    text, _ = measure.run([measure.ROOT / "build/release/polytrain_determinism_bench",
                           "--precision", precision], {"OMP_WAIT_POLICY": "passive"})
    result = json.loads(text)
    records.append(result)
    for product in result["products"]:
        rows.append([product["product"], precision, product["implementation"], product["calls"],
                     f"{product['milliseconds']:.2f}", f"{product['onednn_milliseconds']:.2f}",
                     f"{product['ratio']:.3f}"])
    rows.append(["all of a step", precision, "", "", "", "", f"{result['ratio']:.3f}"])
measure.write("determinism", ["product", "precision", "by", "calls a step", "ms", "oneDNN's ms",
                              "time / oneDNN's"], rows, records)
PYTHON
