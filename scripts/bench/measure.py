"""What the benchmarks beside it share: runs and their peak memory, medians, tables, result files."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
POLYTRAIN = ROOT / "build/release/polytrain"
RESULTS = ROOT / "runs/bench"


def run_telling(command, environment=None):
    """The command's standard output and error and its peak resident bytes. Ends this program if it
    fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen([str(word) for word in command], stdout=out, stderr=errors,
                                 env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if child.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}\n{errors.read().decode()}"
                     f"exit code {child.returncode}")
        return out.read().decode(), errors.read().decode(), usage.ru_maxrss * 1024


def run(command, environment=None):
    """The command's standard output, and its peak resident bytes."""
    out, _, peak = run_telling(command, environment)
    return out, peak


def settings_of(settings):
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def launcher(ranks):
    """What starts so many ranks, each bound to a core of its own."""
    if ranks == 1:
        return []
    as_root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    return ["mpirun", *as_root, "-np", ranks, "--bind-to", "core"]


def train_telling(config, settings, out=None, environment=None, ranks=1):
    """A run on the CPU: its metrics, each a list over the steps, the tokens of a step and
    peak_bytes (of several ranks, the launcher's); and what it said."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(out or scratch)
        _, said, peak = run_telling([*launcher(ranks), POLYTRAIN, "train", config, "--out",
                                     folder, *settings_of({"device": "cpu", **settings})], environment)
        with open(folder / "metrics.jsonl", encoding="utf-8") as file:
            steps = [json.loads(line) for line in file]
    names = ("loss", "tokens_per_s", "mfu")
    metrics = {name: [step[name] for step in steps] for name in names}
    return {"peak_bytes": peak, "step_tokens": steps[0]["tokens"], **metrics}, said


def train(config, settings, out=None, ranks=1):
    return train_telling(config, settings, out, ranks=ranks)[0]


def op_times(config, settings):
    """Of a run: by op, implementation and shape how often it ran and the median in microseconds;
    and the run's metrics."""
    run_metrics, said = train_telling(config, settings, environment={"POLYTRAIN_TRACE": "times"})
    line = re.compile(r"([0-9]+) calls of +([0-9.]+) us: (.*)")
    times = {found[3]: (int(found[1]), float(found[2]))
             for found in map(line.search, said.splitlines()) if found}
    return times, run_metrics


def plan(config, settings):
    text, _ = run([POLYTRAIN, "plan", "--json", config,
                   *settings_of({"device": "cpu", **settings})])
    return json.loads(text)


def bench_config(name):
    path = ROOT / f"configs/bench/{name}.json"
    if not path.exists():
        sys.exit(f"{path}: no such file; names are those in configs/bench/")
    return path


def processor_has(instructions):
    try:
        return f" {instructions} " in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def openblas_kernels():
    """What makes OpenBLAS take this processor's best kernels: it takes those of a Pentium 4, a fifth
    as fast, on a processor newer than it is."""
    if processor_has("avx512_bf16"):
        return {"OPENBLAS_CORETYPE": "Cooperlake"}
    return {"OPENBLAS_CORETYPE": "SkylakeX"} if processor_has("avx512vl") else {}


def precisions(wanted):
    """Those of `wanted` that this processor multiplies in; says which it leaves out."""
    has_bf16 = processor_has("avx512_bf16")
    if "bf16" in wanted and not has_bf16:
        print("This processor has no AVX512-BF16: bf16 is left out", file=sys.stderr)
    return [precision for precision in wanted if precision != "bf16" or has_bf16]


def processor():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def spread(values, digits=2):
    """"median (lowest to highest)"."""
    middle, low, high = (f"{value:.{digits}f}"
                         for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low} to {high})"


def mib(count):
    return f"{count / 2**20:.0f}"


def write(name, head, rows, records):
    """Prints a Markdown table of `rows`, and keeps it and the `records` behind it in runs/bench/."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = {"processor": processor(), "arguments": sys.argv[1:], "results": records}
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print("\n".join(lines))
    print(f"kept in {(RESULTS / name).relative_to(ROOT)}.md and .json", file=sys.stderr)
