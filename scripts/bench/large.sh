#!/usr/bin/env bash
# One full optimizer step of the paper's 1.3 B PolyNorm model on the CPU: 512 tokens, bf16 weights,
# blocks recomputed; its time, share of the machine's peak (docs/metrics.md: mfu) and peak memory
# against the plan. Needs 22 GiB of memory, and 16 GB of disk for the checkpoint at its end, which is
# removed. Results in runs/bench/large.{md,json}.
# Usage: large.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/build.sh"
PYTHONPATH=$here /usr/bin/python3 - <<'PYTHON'
import measure

config, name = measure.bench_config("dense_1b_step"), "dense_1b_step"
if not measure.precisions(["bf16"]):
    raise SystemExit(2)
planned = measure.plan(config, {})["bytes"]
run = measure.train(config, {})
seconds = run["step_tokens"] / run["tokens_per_s"][0]
gib = [f"{count / 2**30:.2f}" for count in (planned["total"], run["peak_bytes"])]
measure.write("large", ["config", "seconds of a step", "tokens/s", "mfu", "planned GiB", "peak GiB"],
              [[name, f"{seconds:.1f}", f"{run['tokens_per_s'][0]:.2f}",
                f"{100 * run['mfu'][0]:.0f} %", *gib]], [{"planned": planned, **run}])
PYTHON
