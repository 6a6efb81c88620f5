#!/usr/bin/env python3
"""A whole training step against PyTorch: called by step.sh, which has what it needs installed.

PolyTrain first trains one step at a learning rate of 0 and saves: these are the weights that both
begin with. Both then train on the same tokens, in turn, and must agree in the first loss.
"""

import argparse
import array
import json
import pathlib
import statistics
import sys
import tempfile

import measure
import synthetic_tokens

HERE = pathlib.Path(__file__).resolve().parent
# Between the last digit of a sum and a wrong model; in bf16 both round, in different places.
LOSS_TOLERANCE = {"f32": 1e-4, "bf16": 5e-3}
# What PyTorch is quickest with on a CPU: threads that sleep between products, and memory that goes
# back to its allocator rather than to the system.
TUNED = {
    "OMP_WAIT_POLICY": "passive",
    "MALLOC_MMAP_THRESHOLD_": str(8 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    **measure.openblas_kernels(),
}


def parse():
    parser = argparse.ArgumentParser(prog="step.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--configs", nargs="+", metavar="NAME", help="of configs/bench/", default=[
        "dense_swiglu", "dense_polynorm", "moe_swiglu", "moe_polynorm"])
    parser.add_argument("--precisions", nargs="+", choices=["f32", "bf16"], default=["f32", "bf16"])
    parser.add_argument("--rounds", type=int, default=5, help="of one run each, in turn")
    parser.add_argument("--steps", type=int, default=12, help="of a run")
    parser.add_argument("--warmup", type=int, default=3, help="steps of a run that don't count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--python", default="/usr/bin/python3", help="one that has torch")
    parser.add_argument("--attention", choices=["explicit", "fused", "auto"], default="auto",
                        help="auto: PyTorch's fused one where it has it")
    parser.add_argument("--compile", action="store_true", help="PyTorch's model by torch.compile")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
                        help="overrides a key of the configs, for both")
    parser.add_argument("--name", default="step", help="of the files in runs/bench/")
    arguments = parser.parse_args()
    if not 0 <= arguments.warmup < arguments.steps or arguments.rounds < 1:
        parser.error("there must be a round, and steps beyond those of the warm-up")
    if any("=" not in setting for setting in arguments.settings):
        parser.error("--set wants KEY=VALUE")
    return arguments


def write_tokens(config, steps, path):
    batch, context = config["train"]["batch"], config["model"]["context"]
    ids = array.array("i")
    for sample in synthetic_tokens.samples(config["seed"], config["model"]["vocab_size"], context,
                                           steps * batch):
        ids.extend(sample)
    path.write_bytes(ids.tobytes())


def compare(name, precision, arguments, folder):
    config, threads = measure.bench_config(name), {"OMP_NUM_THREADS": str(arguments.threads)}
    shared = {**dict(setting.split("=", 1) for setting in arguments.settings),
              "precision": precision, "threads": arguments.threads}
    first = folder / "first"
    measure.train(config, {**shared, "train.steps": 1, "optimizer.lr": 0}, first)
    settings = {**shared, "train.steps": arguments.steps}
    record = {"config": name, "precision": precision, "polytrain": [], "pytorch": []}
    for number in range(arguments.rounds):
        run_folder = folder / f"run-{number}"
        ours = measure.train(config, settings, run_folder)
        if number == 0:
            with open(run_folder / "config.json", encoding="utf-8") as file:
                write_tokens(json.load(file), arguments.steps, folder / "tokens")
        command = [arguments.python, HERE / "torch_model.py", run_folder / "config.json",
                   first / "checkpoints/step-1/weights.safetensors", folder / "tokens",
                   "--threads", arguments.threads, "--attention", arguments.attention]
        text, peak = measure.run(command + ["--compile"] * arguments.compile, {**TUNED, **threads})
        theirs = {**json.loads(text), "peak_bytes": peak}
        check_peer(arguments.python, theirs)
        check_losses(name, precision, ours, theirs)
        record["polytrain"].append(ours)
        record["pytorch"].append(theirs)
        print(f"{name} {precision}: round {number + 1} of {arguments.rounds}", file=sys.stderr)
    return record


def check_peer(python, theirs):
    if not theirs["blas"]:
        sys.exit(f"{python}: PyTorch uses the reference BLAS here, which is no rival: install "
                 "OpenBLAS (scripts/install_dependencies.sh --bench)")


def check_losses(name, precision, ours, theirs):
    difference = abs(ours["loss"][0] - theirs["loss"][0])
    if not difference <= LOSS_TOLERANCE[precision]:
        sys.exit(f"{name} {precision}: the first loss is {ours['loss'][0]:.6f} here and "
                 f"{theirs['loss'][0]:.6f} in PyTorch: not the same model")


def summary(record, warmup):
    speed = {side: [statistics.median(run["tokens_per_s"][warmup:]) for run in record[side]]
             for side in ("polytrain", "pytorch")}
    peak = {side: max(run["peak_bytes"] for run in record[side]) for side in speed}
    ratios = [ours / theirs for ours, theirs in zip(speed["polytrain"], speed["pytorch"])]
    ours, theirs = record["polytrain"][0]["loss"], record["pytorch"][0]["loss"]
    return [record["config"], record["precision"],
            f"{statistics.median(speed['polytrain']):.0f}",
            f"{statistics.median(speed['pytorch']):.0f}",
            measure.spread(ratios), measure.mib(peak["polytrain"]), measure.mib(peak["pytorch"]),
            f"{peak['polytrain'] / peak['pytorch']:.2f}", f"{ours[0]:.6f}, {theirs[0]:.6f}",
            f"{ours[-1]:.4f}, {theirs[-1]:.4f}"]


def main():
    arguments = parse()
    records = []
    for name in arguments.configs:
        for precision in measure.precisions(arguments.precisions):
            with tempfile.TemporaryDirectory() as folder:
                records.append(compare(name, precision, arguments, pathlib.Path(folder)))
    if not records:
        sys.exit("nothing to measure")
    peer = records[0]["pytorch"][0]
    kind = "compiled" if arguments.compile else "eager"
    attention = "fused" if peer["fused_attention"] else "explicit"
    print(f"PyTorch {peer['version']}, {peer['blas']}, {kind}, {attention} attention, "
          f"{arguments.threads} threads")
    measure.write(arguments.name, [
        "config", "precision", "PolyTrain tokens/s", "PyTorch tokens/s", "ratio", "PolyTrain MiB",
        "PyTorch MiB", "memory ratio", "first loss", "last loss"],
        [summary(record, arguments.warmup) for record in records], records)


if __name__ == "__main__":
    main()
