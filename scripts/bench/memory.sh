#!/usr/bin/env bash
# Peak memory against the plan: for each config of configs/bench/ and each train.recompute what
# `polytrain plan` says and what a run of so many steps took, its last save included. What is over the
# plan is the program, its libraries and the data. Results in runs/bench/memory.{md,json}.
# Usage: memory.sh [STEPS [PRECISION...]]   (default: 2 steps, f32 and bf16)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/build.sh"
PYTHONPATH=$here /usr/bin/python3 - "$@" <<'PYTHON'
import sys
import measure

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2
rows, records = [], []
for precision in measure.precisions(sys.argv[2:] or ["f32", "bf16"]):
    for name in ("dense_swiglu", "dense_polynorm", "moe_swiglu", "moe_polynorm"):
        for recompute in ("none", "activation", "block"):
            settings = {"precision": precision, "train.recompute": recompute, "train.steps": steps}
            config = measure.bench_config(name)
            planned = measure.plan(config, settings)["bytes"]
            run = measure.train(config, settings)
            peak = run["peak_bytes"]
            rows.append([name, precision, recompute, measure.mib(planned["total"]),
                         measure.mib(peak), measure.mib(peak - planned["total"]),
                         f"{peak / planned['total']:.3f}"])
            records.append({"config": name, **settings, "planned": planned, **run})
measure.write("memory", ["config", "precision", "recompute", "planned MiB", "peak MiB",
                         "over the plan MiB", "peak / planned"], rows, records)
PYTHON
