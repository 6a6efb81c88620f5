#!/usr/bin/env bash
# Every op against what the processor can do: products in FLOP/s, others in bytes a second, each as a
# share of the peaks that the same run measures (multiply-adds in registers, the better of plain and
# streaming copies of memory). Shapes are those of configs/bench/; rows of what is bound by memory come
# from memory, not from a cache. Results in runs/bench/ops.{md,json}.
# Usage: ops.sh [PRECISION...]   (default: f32 and bf16)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/build.sh" polytrain_op_bench
PYTHONPATH=$here /usr/bin/python3 - "$@" <<'PYTHON'
import json
import sys
import measure

rows, records = [], []
for precision in measure.precisions(sys.argv[1:] or ["f32", "bf16"]):
    text, _ = measure.run([measure.ROOT / "build/release/polytrain_op_bench", "--device", "cpu",
                           "--precision", precision])
    result = json.loads(text)
    records.append(result)
    for peak, value in result["peaks"].items():
        rows.append([f"peak: {peak}", precision, "", "", f"{value:.4g}", ""])
    for op in result["timed"]:
        speed = (f"{1e3 * op['tflop_per_s']:.0f} GFLOP/s" if "tflop_per_s" in op
                 else f"{op['gb_per_s']:.1f} GB/s")
        rows.append([op["op"], precision, op["implementation"], f"{op['milliseconds']:.2f}", speed,
                     f"{100 * op['share']:.0f} %"])
measure.write("ops", ["op", "precision", "by", "ms", "speed", "share of peak"], rows, records)
PYTHON
