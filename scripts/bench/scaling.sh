#!/usr/bin/env bash
# Tokens per second and share of the machine's peak (docs/metrics.md: mfu) in layers, width, context,
# experts and threads, each varied alone, from configs/bench/. A step has the same number of tokens
# throughout. Medians over the steps of a run, then over the rounds, all settings in turn in each.
# Results in runs/bench/scaling.{md,json}.
# Usage: scaling.sh [ROUNDS [STEPS [PRECISION...]]]   (default: 3 rounds of 6 steps, f32 and bf16)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/build.sh"
PYTHONPATH=$here /usr/bin/python3 - "$@" <<'PYTHON'
import os
import statistics
import sys
import measure

WARMUP, TOKENS, HEAD_WIDTH = 2, 4096, 64
rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 6
if rounds < 1 or steps <= WARMUP:
    sys.exit(f"there must be a round, and more than {WARMUP} steps")

processors = len(os.sched_getaffinity(0))
dense, moe = "dense_polynorm", "moe_polynorm"
cases = []
for layers in (2, 4, 6, 12):
    cases.append(("layers", layers, dense, {"model.layers": layers}))
for width in (128, 256, 384, 512, 768):
    cases.append(("width", width, dense,
                  {"model.d_model": width, "model.heads": width // HEAD_WIDTH,
                   "model.feed_forward.hidden": 4 * width}))
for context in (128, 256, 512, 1024, 2048):
    cases.append(("context", context, dense,
                  {"model.context": context, "train.batch": TOKENS // context}))
for experts in (4, 8, 16, 32, 64):
    cases.append(("experts", experts, moe, {"model.moe.experts": experts}))
threads = [1 << i for i in range(processors.bit_length()) if 1 << i < processors] + [processors]
for config in (dense, moe):
    for count in threads:
        cases.append((f"threads, {config}", count, config, {"threads": count}))
cases = [case + (precision,) for precision in measure.precisions(sys.argv[3:] or ["f32", "bf16"])
         for case in cases]

runs = [[] for _ in cases]
for number in range(rounds):
    for i, (_, _, config, settings, precision) in enumerate(cases):
        settings = {**settings, "precision": precision, "train.steps": steps}
        runs[i].append(measure.train(measure.bench_config(config), settings))
    print(f"round {number + 1} of {rounds}", file=sys.stderr)

rows, records = [], []
for (what, value, config, settings, precision), done in zip(cases, runs):
    speed = [statistics.median(run["tokens_per_s"][WARMUP:]) for run in done]
    share = [statistics.median(run["mfu"][WARMUP:]) for run in done]
    flops = measure.plan(measure.bench_config(config), settings)["flops_per_token"]
    rows.append([what, value, precision, f"{statistics.median(speed):.0f}",
                 f"{min(speed):.0f} to {max(speed):.0f}", f"{flops / 1e6:.1f}",
                 f"{100 * statistics.median(share):.0f} %"])
    records.append({"what": what, "value": value, "config": config, "settings": settings,
                    "precision": precision, "runs": done})
measure.write("scaling", ["varied", "to", "precision", "tokens/s", "lowest to highest",
                          "MFLOP a token", "mfu"], rows, records)
PYTHON
