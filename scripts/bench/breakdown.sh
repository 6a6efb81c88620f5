#!/usr/bin/env bash
# Where a training step's time goes, op by op, and what share of it the products of linear layers and
# head take by themselves: their times are medians of the same run. Calls of a step are the difference
# between a longer and a shorter run, so that what comes before and after the steps doesn't count.
# Results in runs/bench/breakdown.{md,json}.
# Usage: breakdown.sh [CONFIG...]   (names of configs/bench/; default: the four of dense and moe)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/build.sh"
PYTHONPATH=$here /usr/bin/python3 - "$@" <<'PYTHON'
import collections
import statistics
import sys
import measure

SHORT, LONG = 2, 10
names = sys.argv[1:] or ["dense_swiglu", "dense_polynorm", "moe_swiglu", "moe_polynorm"]
rows, records = [], []
for precision in measure.precisions(["f32", "bf16"]):
    for name in names:
        config = measure.bench_config(name)
        short, _ = measure.op_times(config, {"precision": precision, "train.steps": SHORT})
        long, run = measure.op_times(config, {"precision": precision, "train.steps": LONG})
        by_op = collections.Counter()
        for what, (calls, microseconds) in long.items():
            per_step = (calls - short.get(what, (0, 0))[0]) / (LONG - SHORT)
            by_op[what.split(" ")[0]] += per_step * microseconds / 1e3
        step = 1e3 * run["step_tokens"] / statistics.median(run["tokens_per_s"][1:])
        by_op["beside ops"] = step - sum(by_op.values())
        products = sum(ms for op, ms in by_op.items() if op.split(".")[0] in ("linear", "grouped_linear"))
        rows.append([name, precision, "whole step", f"{step:.0f}", "100 %"])
        rows.append([name, precision, "products", f"{products:.0f}", f"{100 * products / step:.0f} %"])
        rows += [[name, precision, op, f"{ms:.1f}", f"{100 * ms / step:.1f} %"]
                 for op, ms in by_op.most_common() if ms > 0.001 * step]
        records.append({"config": name, "precision": precision, "step_ms": step,
                        "products_share": products / step, "ops_ms": by_op})
measure.write("breakdown", ["config", "precision", "op", "ms of a step", "share"], rows, records)
PYTHON
