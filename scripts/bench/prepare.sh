#!/usr/bin/env bash
# `polytrain prepare` against Hugging Face tokenizers (PyPI, in a virtual environment of its own): the
# same tokenizer.json, documents and number of threads, in turn, several times. Prints the speeds and
# the ratio, and fails if the ids differ. Ours is the whole command, reading JSON lines and writing
# token files; theirs is the encoding alone, of documents that are in memory already.
# Usage: prepare.sh TOKENIZER.json [TEXT.jsonl [THREADS [ROUNDS]]]   documents are under "text"
# Without TEXT: the King James Bible and the C and C++ headers of this machine, at most 64 MB.
set -euo pipefail
[ $# -ge 1 ] && [ -f "$1" ] || { sed -n '6s/^# //p' "$0"; exit 2; }
tokenizer=$(realpath "$1") text=${2:+$(realpath "$2")} threads=${3:-$(nproc)} rounds=${4:-5}
cd "$(dirname "$0")/../.."
work=build/bench
mkdir -p "$work"

scripts/install_dependencies.sh
cmake --preset release > /dev/null
cmake --build --preset release --target polytrain > /dev/null
if [ ! -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv" # package python3-venv
    "$work/venv/bin/pip" -q install tokenizers
fi
if [ -z "$text" ]; then
    text=$work/text.jsonl
    scripts/prepare_quickstart_text.sh "$work/text.txt" > /dev/null
    "$work/venv/bin/python" - "$work/text.txt" > "$text" <<'PYTHON'
import json, pathlib, sys
lines = open(sys.argv[1], encoding="utf-8").read().splitlines(True)
documents = ["".join(lines[i:i + 40]) for i in range(0, len(lines), 40)]
left = 64_000_000
for path in sorted(pathlib.Path("/usr/include").rglob("*.h*")):
    try:
        documents.append(path.read_bytes().decode())
    except (UnicodeDecodeError, OSError):
        pass
for text in documents:
    left -= len(text)
    if text and left > 0:
        print(json.dumps({"text": text}))
PYTHON
fi

for ((round = 0; round < rounds; ++round)); do
    rm -rf "$work/tokens"
    start=$(date +%s.%N)
    build/release/polytrain prepare --tokenizer "$tokenizer" --out "$work/tokens" --validation 0 \
        --threads "$threads" "$text" > /dev/null 2>&1
    echo "ours $start $(date +%s.%N)"
    RAYON_NUM_THREADS=$threads TOKENIZERS_PARALLELISM=true "$work/venv/bin/python" - \
        "$tokenizer" "$text" "$work/tokens/train.bin" <<'PYTHON'
import array, json, sys, time
import tokenizers
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
documents = [json.loads(line)["text"] for line in open(sys.argv[2], encoding="utf-8")]
start = time.time()
encoded = tokenizer.encode_batch_fast(documents, add_special_tokens=False)
end = time.time()
width = "H" if tokenizer.get_vocab_size() <= 65536 else "I"
ours = array.array(width)
ours.frombytes(open(sys.argv[3], "rb").read())
ends = [tokenizer.token_to_id(name) for name in ("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>")]
separator = next((id for id in ends if id is not None and id == ours[-1]), None)
theirs = array.array(width)
for one in encoded:
    theirs.extend(one.ids)
    if separator is not None:
        theirs.append(separator)
if theirs != ours:
    sys.exit("the ids differ")
bytes = sum(len(text.encode()) for text in documents)
print("theirs", start, end, bytes, len(documents), len(ours), tokenizers.__version__)
PYTHON
done | tee "$work/prepare.log" | "$work/venv/bin/python" -c '
import statistics, sys
ours, theirs, ratios = [], [], []
for line in sys.stdin:
    kind, start, end, *rest = line.split()
    (ours if kind == "ours" else theirs).append(float(end) - float(start))
    if kind == "theirs":
        ratios.append(theirs[-1] / ours[-1])
        size, documents, tokens = map(int, rest[:3])
        version = rest[3]
print(f"{documents} documents, {size / 1e6:.1f} MB, {tokens} tokens, the same ids")
for name, times in (("polytrain prepare", ours), (f"tokenizers {version}", theirs)):
    times = sorted(size / 1e9 / t for t in times)
    print(f"{name:20s} {statistics.median(times):.4f} GB/s ({times[0]:.4f} to {times[-1]:.4f})")
ratios.sort()
print(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), {len(ratios)} rounds")'
