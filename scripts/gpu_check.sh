#!/usr/bin/env bash
# What the first person with a GPU runs: builds the CUDA backend, compares it with the CPU, looks
# whether it gives the same bits twice, and measures it. Needs no network; about eight minutes.
# Usage: gpu_check.sh [--build FOLDER] [--no-build] [--emulated] [--out FOLDER]
#   --build      the build folder (default build/cuda, configured here by preset cuda)
#   --no-build   takes what is built there
#   --emulated   tries this script itself, on tests/cuda_emulator's device and tiny sizes, with what
#                is built in the folder (default build/release)
#   --out        gets gpu_check.json, gpu_check.txt and logs (default runs/gpu_check)
# A check that fails doesn't stop the others. Exits 1 if one failed. docs/cuda.md says more.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

emulated=no builds=yes build='' out=runs/gpu_check
while [ $# -gt 0 ]; do
    case $1 in
        --build) build=$2; shift 2 ;;
        --no-build) builds=no; shift ;;
        --emulated) emulated=yes builds=no; shift ;;
        --out) out=$2; shift 2 ;;
        *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
if [ -z "$build" ]; then build=build/cuda; [ "$emulated" = no ] || build=build/release; fi
rm -rf "$out"
mkdir -p "$out/runs"
out=$(cd "$out" && pwd)
polytrain=$build/polytrain
if [ "$emulated" = yes ]; then
    export POLYTRAIN_CUDA_LIBRARY=$PWD/$build/tests/cuda_emulator/libpolytrain_cuda.so
    [[ $build != /* ]] || POLYTRAIN_CUDA_LIBRARY=$build/tests/cuda_emulator/libpolytrain_cuda.so
fi
. scripts/gpu_check/record.sh
. scripts/gpu_check/training.sh

nvidia() { nvidia-smi --query-gpu="$1" --format=csv,noheader,nounits; }
device_name='' gpus=0 capability=''
if [ "$emulated" = yes ]; then
    device_name='emulated device' gpus=2
elif command -v nvidia-smi > /dev/null && nvidia name > "$out/gpus"; then
    device_name=$(head -n 1 "$out/gpus") gpus=$(wc -l < "$out/gpus")
    capability=$(nvidia compute_cap | head -n 1 | tr -d .)
fi
# Of bf16 products without sparsity, as NVIDIA publishes it; empty where it isn't known here.
peak=''
case $device_name in
    *H100*PCIe*) peak=756 ;;
    *H100*NVL*) peak=835 ;;
    *H100* | *H200*) peak=989 ;;
    *A100*) peak=312 ;;
    *B200*) peak=2250 ;;
esac

check_device() {
    [ "$emulated" = no ] || skip "no GPU is asked for"
    [ -n "$device_name" ] || { echo "nvidia-smi finds no GPU"; return 1; }
    nvidia-smi
    nvidia name,driver_version,clocks.max.sm,clocks.max.mem,power.limit,memory.total
    number "GPUs" "$gpus" count
    number "highest clock of multiprocessors" "$(nvidia clocks.max.sm | head -n 1)" MHz
    number "highest clock of memory" "$(nvidia clocks.max.mem | head -n 1)" MHz
}

check_build() {
    [ "$builds" = yes ] || {
        [ -x "$polytrain" ] || { echo "no $polytrain"; return 1; }
        return 0
    }
    local architecture=()
    # This machine's alone: the kernels are compiled once in place of three times.
    case $capability in
        '') ;;
        90) architecture=(-DCMAKE_CUDA_ARCHITECTURES=90a-real) ;;
        *) architecture=("-DCMAKE_CUDA_ARCHITECTURES=$capability-real") ;;
    esac
    cmake --preset cuda -B "$build" -DPOLYTRAIN_TESTS=ON "${architecture[@]}"
    cmake --build "$build" --parallel "$(nproc)" --target polytrain polytrain_cuda test_ops \
        polytrain_op_bench
}

check_selftest() {
    needs build
    local filter=()
    [ "$emulated" = no ] || filter=(--filter rotary)
    limited 200 "$polytrain" selftest --device cuda "${filter[@]}"
}

# The bench's JSON is this check's data and the next's.
check_repeated_ops() {
    needs build
    local tiny=()
    [ "$emulated" = no ] || tiny=(--tiny)
    limited 120 "$build/polytrain_op_bench" "${tiny[@]}" > "$out/bench.json" 2> "$out/bench.txt" ||
        { cat "$out/bench.json" "$out/bench.txt"; return 1; }
    ! grep -q '"same_bits": false' "$out/bench.json"
}
check_kernels() {
    [ -s "$out/bench.json" ] || skip "polytrain_op_bench gave no numbers"
    data "$out/bench.json"
    cp "$out/bench.txt" "$out/kernels.table"
}

check_losses() { # CONFIG PRECISION FIRST REST
    needs build
    train cpu "$1" "$1-$2-cpu" --set "precision=$2"
    train cuda "$1" "$1-$2" --set "precision=$2"
    same_losses "$1-$2-cpu" "$1-$2" "$3" "$4"
}

check_rerun() { # CONFIG: in bf16
    needs_run "$1-bf16"
    train cuda "$1" "$1-again" --set precision=bf16
    same_bits "$1-bf16" "$1-again"
}
# From the checkpoint half-way, as if the run had been killed after it.
check_resume() { # CONFIG
    needs_run "$1-bf16"
    cp -r "$out/runs/$1-bf16" "$out/runs/$1-resumed"
    rm -r "$out/runs/$1-resumed/checkpoints/$(newest "$1-resumed")"
    train cuda "$1" "$1-resumed" --set precision=bf16 --resume auto
    same_bits "$1-bf16" "$1-resumed"
}
check_recompute() { # CONFIG
    needs_run "$1-bf16"
    train cuda "$1" "$1-recompute" --set precision=bf16 --set train.recompute=block
    same_bits "$1-bf16" "$1-recompute"
}
check_two_gpus() { # CONFIG EXPERT SHARDING
    needs_run "$1-f32"
    [ "$gpus" -ge 2 ] || skip "one GPU"
    command -v mpirun > /dev/null || skip "no mpirun"
    local name="$1-two-expert$2-sharding$3" again
    for again in '' -again; do
        train_two "$1" "$name$again" --set precision=f32 --set "parallel.expert=$2" \
            --set "parallel.sharding=$3"
    done
    same_losses "$1-f32" "$name" 0.001 0.02
    same_bits "$name" "$name-again"
}

check_steps() { # ACTIVATION HIDDEN
    needs build
    local name="large-$1" sampler='' speed flops options
    options=(--set "model.feed_forward.activation=$1" --set "model.feed_forward.hidden=$2")
    if [ "$emulated" = yes ]; then
        options+=(--set model.d_model=64 --set model.layers=1 --set model.context=16
            --set model.vocab_size=96 --set model.feed_forward.hidden=40 --set train.batch=2
            --set train.micro_batch=1 --set train.steps=7)
    else
        nvidia-smi --query-gpu=clocks.sm,power.draw --format=csv,noheader,nounits -i 0 -l 1 \
            > "$out/$name.clocks" &
        sampler=$!
    fi
    train cuda large "$name" "${options[@]}" || { [ -z "$sampler" ] || kill "$sampler"; return 1; }
    [ -z "$sampler" ] || kill "$sampler"
    speed=$(figures "$name" tokens_per_s | tail -n +6 | median)
    flops=$("$polytrain" plan --json "$out/runs/$name/config.json" |
        sed -n 's/.*"flops_per_token": \([0-9.e+]*\).*/\1/p')
    number "speed" "$speed" tokens/s
    number "model FLOPs of a token" "$flops" FLOP
    number "model FLOP/s" "$(awk -v a="$speed" -v b="$flops" 'BEGIN {print a * b / 1e12}')" TFLOP/s
    number "MFU of what products alone reached" "$(figures "$name" mfu | tail -n +6 | median)" ratio
    [ -z "$peak" ] || number "MFU of the data sheet's $peak TFLOP/s" \
        "$(awk -v a="$speed" -v b="$flops" -v p="$peak" 'BEGIN {print a * b / 1e12 / p}')" ratio
    [ ! -s "$out/$name.clocks" ] || number "highest clock seen" \
        "$(cut -d, -f1 "$out/$name.clocks" | sort -n | tail -n 1)" MHz
}

write_configs
check device check_device
check build check_build
check selftest check_selftest
check repeated_ops check_repeated_ops
check losses_dense_f32 check_losses dense f32 0.0001 0.01
check losses_dense_bf16 check_losses dense bf16 0.01 0.03
check losses_moe_f32 check_losses moe f32 0.001 0.03
check losses_moe_bf16 check_losses moe bf16 0.02 0.05
for config in dense moe; do
    check "rerun_$config" check_rerun "$config"
    check "resume_$config" check_resume "$config"
    check "recompute_$config" check_recompute "$config"
done
check two_gpus_dense check_two_gpus dense 1 2
check two_gpus_moe_expert_1 check_two_gpus moe 1 0
check two_gpus_moe_expert_2 check_two_gpus moe 2 1
check kernels check_kernels
check steps_polynorm check_steps polynorm 4096
check steps_swiglu check_steps swiglu 2736

version=$(git describe --always --dirty 2> /dev/null || echo unknown)
is_emulated=false
[ "$emulated" = no ] || is_emulated=true
write_report version "$(json_string "$version")" emulated "$is_emulated" \
    device "$(json_string "$device_name")" gpus "$gpus"
printf '\n'
cat "$out/gpu_check.txt"
echo "$out/gpu_check.json"
[ "$(count failed)" = 0 ]
