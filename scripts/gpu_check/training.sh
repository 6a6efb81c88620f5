# Sourced by scripts/gpu_check.sh: training runs and what is compared of them.
# shellcheck shell=bash disable=SC2154  # $out, $polytrain and others are the script's

# Tiny models: of what the emulator has in seconds, else of what all attention kernels apply to.
write_configs() {
    local model batch
    if [ "$emulated" = yes ]; then
        model='"d_model": 32, "layers": 1, "heads": 4, "context": 12, "vocab_size": 61'
        batch='"steps": 4, "batch": 4, "micro_batch": 2, "checkpoint_every": 2'
    else
        model='"d_model": 64, "layers": 2, "heads": 2, "context": 128, "vocab_size": 256'
        batch='"steps": 12, "batch": 4, "micro_batch": 2, "checkpoint_every": 6'
    fi
    local rest="\"data\": {\"synthetic\": true},
 \"train\": {$batch, \"tensorboard\": false}, \"optimizer\": {\"lr\": 0.01}"
    cat > "$out/dense.json" <<JSON
{"seed": 3, "model": {$model, "tied": true,
   "feed_forward": {"activation": "polynorm", "hidden": 192}},
 $rest}
JSON
    cat > "$out/moe.json" <<JSON
{"seed": 3, "model": {$model, "moe": {"experts": 8, "top_k": 2},
   "feed_forward": {"activation": "swiglu", "hidden": 24}},
 $rest}
JSON
    # About 0.2 billion parameters.
    cat > "$out/large.json" <<'JSON'
{"seed": 3, "precision": "bf16",
 "model": {"d_model": 1024, "layers": 12, "heads": 8, "context": 2048, "vocab_size": 32000},
 "data": {"synthetic": true},
 "train": {"steps": 25, "batch": 32, "micro_batch": 8, "eval_sequences": 1, "eval_every": 0,
           "checkpoint_every": 0, "tensorboard": false},
 "optimizer": {"lr": 0.0003}}
JSON
}

# limited SECONDS COMMAND...: the emulator, on a busy machine, takes its time.
limited() {
    local seconds=$1
    shift
    [ "$emulated" = no ] || seconds=$((seconds * 5))
    timeout -k 10 "$seconds" "$@"
}
# train DEVICE CONFIG RUN [OPTION...]: $out/CONFIG.json into $out/runs/RUN.
train() {
    local device=$1 config=$2 run=$3
    shift 3
    limited 90 "$polytrain" train "$out/$config.json" --out "$out/runs/$run" --set "device=$device" \
        "$@"
}
# The same on two ranks.
train_two() {
    local config=$1 run=$2 as_root=()
    shift 2
    [ "$(id -u)" != 0 ] || as_root=(--allow-run-as-root)
    limited 90 mpirun -np 2 "${as_root[@]}" --oversubscribe --bind-to none \
        "$polytrain" train "$out/$config.json" --out "$out/runs/$run" --set device=cuda "$@"
}

figures() { grep -o "\"$2\":[-+0-9.e]*" "$out/runs/$1/metrics.jsonl" | cut -d: -f2; } # RUN KEY
median() { sort -g | awk '{x[NR] = $1} END {if (NR == 0) exit 1; print NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2}'; }

# The losses of two runs, step for step: the first differs by at most FIRST of it, the others by at
# most REST, and the last is below the first.
same_losses() { # EXPECTED ACTUAL FIRST REST
    local differences
    differences=$(paste <(figures "$1" loss) <(figures "$2" loss) | awk -v first="$3" -v rest="$4" '
        NF != 2 { bad = 1 }
        { d = ($2 - $1) / $1; if (d < 0) d = -d; if (!(d <= (NR == 1 ? first : rest))) bad = 1 }
        NR == 1 { start = $2; at_first = d }
        { if (d > most) most = d; last = $2 }
        END { print at_first + 0, most + 0; exit bad || NR == 0 || !(last < start) }') || {
        paste <(figures "$1" loss) <(figures "$2" loss)
        echo "losses of $1 and $2 differ by up to ${differences#* } of the loss, or do not fall"
        return 1
    }
    number "$2: the first loss, against $1" "${differences% *}" ratio
    number "$2: later losses, against $1, at most" "${differences#* }" ratio
}
# Every bit of the last checkpoint's tensors.
same_bits() { # RUN OTHER
    local step file files=0
    step=$(newest "$1")
    [ "$step" = "$(newest "$2")" ] || { echo "runs $1 and $2 ended at other steps"; return 1; }
    for file in "$out/runs/$1/checkpoints/$step"/*.safetensors; do
        cmp "$file" "$out/runs/$2/checkpoints/$step/$(basename "$file")"
        files=$((files + 1))
    done
    [ "$files" -gt 0 ]
}
needs_run() { [ -d "$out/runs/$1/checkpoints" ] || skip "needs run '$1', which did not end"; }
newest() { (cd "$out/runs/$1/checkpoints" && printf '%s\n' step-* | sort -V | tail -n 1); }
