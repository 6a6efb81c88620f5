#!/usr/bin/env bash
# PolyTrain against itself, in turn, as ratios of tokens per second: PolyNorm against SwiGLU at equal
# parameters, recompute of the activation against none, two ranks of one thread against one rank of two
# threads. Medians over the steps of a run, then over the rounds. Results in runs/bench/pairs.{md,json}.
# Usage: pairs.sh [--only TEXT] [ROUNDS [STEPS [PRECISION...]]]
#   (default: all pairs, or those with TEXT in their names; 5 rounds of 8 steps, f32 and bf16)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/build.sh"
PYTHONPATH=$here /usr/bin/python3 - "$@" <<'PYTHON'
import os
import statistics
import sys
import measure

WARMUP = 2
only = ""
if sys.argv[1:2] == ["--only"] and len(sys.argv) > 2:
    only = sys.argv[2]
    del sys.argv[1:3]
rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
steps = int(sys.argv[2]) if len(sys.argv) > 2 else 8
if rounds < 1 or steps <= WARMUP:
    sys.exit(f"there must be a round, and more than {WARMUP} steps")

alone = {"threads": 2, "train.micro_batch": 4}
spread = {**alone, "threads": 1}
# (what, (config, settings, ranks) of the one, of the other)
pairs = [("PolyNorm / SwiGLU", ("dense_polynorm", {}, 1), ("dense_swiglu", {}, 1)),
         ("recompute activation / none, PolyNorm",
          ("dense_polynorm", {"train.recompute": "activation"}, 1), ("dense_polynorm", {}, 1)),
         ("two ranks / one, dense", ("dense_polynorm", spread, 2), ("dense_polynorm", alone, 1)),
         ("two ranks / one, mixture", ("moe_polynorm", spread, 2), ("moe_polynorm", alone, 1)),
         ("two ranks / one, mixture, parallel.expert 2",
          ("moe_polynorm", {**spread, "parallel.expert": 2}, 2), ("moe_polynorm", alone, 1))]
if len(os.sched_getaffinity(0)) < 2:
    pairs = pairs[:2]
    print("One processor: nothing is measured over ranks", file=sys.stderr)
pairs = [pair for pair in pairs if only in pair[0]]
if not pairs:
    sys.exit(f"no pair has {only} in its name")


def speed(precision, config, settings, ranks):
    settings = {"precision": precision, "train.steps": steps, **settings}
    run = measure.train(measure.bench_config(config), settings, ranks=ranks)
    return statistics.median(run["tokens_per_s"][WARMUP:])


rows, records = [], []
for precision in measure.precisions(sys.argv[3:] or ["f32", "bf16"]):
    speeds = [[] for _ in pairs]
    for number in range(rounds):
        for i, (_, one, other) in enumerate(pairs):
            speeds[i].append((speed(precision, *one), speed(precision, *other)))
        print(f"{precision}: round {number + 1} of {rounds}", file=sys.stderr)
    for (what, *_), both in zip(pairs, speeds):
        ratios = [one / other for one, other in both]
        rows.append([what, precision, measure.spread(ratios, 3)])
        records.append({"what": what, "precision": precision, "tokens_per_s": both})
measure.write("pairs", ["what", "precision", "ratio of tokens/s"], rows, records)
PYTHON
