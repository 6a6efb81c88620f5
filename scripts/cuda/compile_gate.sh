#!/usr/bin/env bash
# Compiles the CUDA backend for every architecture without needing a GPU: warnings are errors, and
# so are spilled registers and local memory. Then links it, and checks that it lacks nothing but
# what the polytrain program itself has.
# Usage: compile_gate.sh [--check PROGRAM BUDGETS] [--program FILE]
#                        [--kernels FOLDER] [--allow-spills] OUT
#   OUT              gets NAME.ARCH.ptxas.txt and NAME.ptx of each kernel file, and the library;
#                    what is there already of the same sources and flags is kept
#   --check          runs cuda_budget_check on OUT (tests/cuda_budget)
#   --program        polytrain, or the archives it is made of (once for each): must have those names
#   --kernels        only the .cu files of this folder, and no library
#   --allow-spills   for the tests of the check
# Without nvcc (on PATH, in $CUDA_HOME/bin or /usr/local/cuda/bin) it says so and succeeds.
# POLYTRAIN_NVCC names another.
set -euo pipefail
export LC_ALL=C # tools' messages are read below
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$root/kernels/cuda library=yes check=() programs=()
spill_flags=-warn-spills,-warn-lmem-usage,-Werror
while [[ ${1:-} == --* ]]; do
    case $1 in
        --check) check=("$2" "$3"); shift 3 ;;
        --program) programs+=("$2"); shift 2 ;;
        --kernels) folder=$2 library=no; shift 2 ;;
        --allow-spills) spill_flags=; shift ;;
        *) break ;;
    esac
done
if [ $# -ne 1 ] || [[ $1 == --* ]]; then sed -n '5,15s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
mkdir -p "$1"
out=$(cd "$1" && pwd)

candidates=(nvcc "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" /usr/local/cuda/bin/nvcc)
[ -z "${POLYTRAIN_NVCC:-}" ] || candidates=("$POLYTRAIN_NVCC")
nvcc=
for candidate in "${candidates[@]}"; do
    if command -v "$candidate" > /dev/null; then nvcc=$(command -v "$candidate"); break; fi
done
if [ -z "$nvcc" ]; then
    echo "compile_gate.sh: no nvcc here, the CUDA code was not compiled"
    exit 0
fi
cuda=$(cd "$(dirname "$(readlink -f "$nvcc")")/.." && pwd)

# As the build makes it: the list of activations is one include for each header.
mkdir -p "$out/generated"
for header in "$root"/kernels/common/activations/*.hpp; do
    [ "$(basename "$header")" = list.hpp ] || echo "#include \"$header\""
done > "$out/generated/activation_headers.inc"

includes=(-I"$root" -I"$root/src" -I"$out/generated" -DOMPI_SKIP_MPICXX)
if command -v mpicc > /dev/null; then
    for include in $(mpicc --showme:incdirs 2> /dev/null); do includes+=(-isystem "$include"); done
fi
# For the host code of .cu files; pedantry is for files that nvcc doesn't rewrite.
host_flags=-fPIC,-Wall,-Werror
# Under nvcc fmt 9 does without constexpr unless it is told to have it, and then its formats fail.
nvcc_flags=(-std=c++20 -O3 --expt-relaxed-constexpr -DFMT_USE_CONSTEXPR=1 -Werror all-warnings
            -Xptxas "-v${spill_flags:+,$spill_flags}" -Xcompiler "$host_flags"
            -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a
            -gencode arch=compute_100,code=sm_100)
cxx_flags=(-std=c++20 -O2 -fPIC -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror
           -ffp-contract=off -isystem "$cuda/include")

# All that decides what comes of a kernel file, but the file.
common=$({
    "$nvcc" --version
    printf '%s\n' "${nvcc_flags[@]}" "${includes[@]}" "${NVCC_PREPEND_FLAGS:-}" \
        "${NVCC_APPEND_FLAGS:-}"
    find "$root/kernels" "$root/src" "$out/generated" \( -name '*.hpp' -o -name '*.inc' \) |
        sort | xargs cat
    cat "$0"
} | sha256sum)

compile_kernels() { # FILE.cu
    local name keep stamp
    name=$(basename "$1" .cu)
    keep=$out/$name.keep
    stamp=$({ echo "$common"; cat "$1"; } | sha256sum)
    if [ "$(cat "$out/$name.stamp" 2> /dev/null)" = "$stamp" ]; then return; fi
    rm -rf "$keep" "$out/$name".*
    mkdir -p "$keep"
    if ! "$nvcc" "${nvcc_flags[@]}" "${includes[@]}" --keep --keep-dir "$keep" -c "$1" \
        -o "$out/$name.o" > "$keep/log" 2>&1; then
        echo "$1: nvcc fails:" >&2
        grep -vE '^ptxas info|^    0 bytes stack' "$keep/log" | sed 's/^/    /' >&2
        return 1
    fi
    # ptxas names the architecture with each kernel.
    awk -v prefix="$out/$name." '
        /Compiling entry function/ {
            n = split($0, part, "\047")
            file = prefix part[n - 1] ".ptxas.txt"
        }
        / bytes gmem/ { file = ""; next }
        file != "" { print > file }' "$keep/log"
    # Our kernels are portable code: one PTX shows what is loaded at once on all architectures.
    cp "$keep/$name.compute_80.ptx" "$out/$name.ptx"
    rm -rf "$keep"
    echo "$stamp" > "$out/$name.stamp"
}
compile_host() { # FILE.cpp
    "${CXX:-g++}" "${cxx_flags[@]}" "${includes[@]}" -c "$1" -o "$out/$(basename "$1" .cpp)_host.o"
}

# Runs a function on each file, as many at once as there are processors; fails if one fails.
for_files() { # FUNCTION FILE...
    local function=$1 limit running=0 failed=0 file
    limit=$(nproc)
    shift
    for file in "$@"; do
        if [ "$running" -ge "$limit" ]; then wait -n || failed=1; running=$((running - 1)); fi
        "$function" "$file" &
        running=$((running + 1))
    done
    while [ "$running" -gt 0 ]; do wait -n || failed=1; running=$((running - 1)); done
    return "$failed"
}

shopt -s nullglob
rm -f "$out"/*_host.o
kernels=("$folder"/*.cu)
# What is left of files that are no more.
for left in "$out"/*.ptx; do
    name=$(basename "$left" .ptx)
    [ -f "$folder/$name.cu" ] || rm -f "$out/$name".*
done
failed=0
for_files compile_kernels "${kernels[@]}" || failed=1
if [ $library = yes ]; then
    sources=("$folder"/*.cpp "$root"/src/comm/nccl/*.cpp)
    for_files compile_host "${sources[@]}" || failed=1
fi
[ "$failed" = 0 ] || exit 1
echo "compile_gate.sh: ${#kernels[@]} kernel files for sm_80, sm_90a and sm_100"

if [ $library = yes ]; then
    lib=$cuda/lib64
    [ -d "$lib" ] || lib=$cuda/lib
    # Names that the library leaves to the program that opens it: of the program's own namespace.
    if ! "${CXX:-g++}" -shared -o "$out/libpolytrain_cuda.so" "$out"/*.o -L"$lib" -lcublasLt \
        -lcublas -lcudnn -lnccl -lcudart_static -lfmt -ldl -lrt -lpthread \
        -Wl,--no-undefined -Wl,--warn-unresolved-symbols > "$out/link.txt" 2>&1; then
        cat "$out/link.txt" >&2
        exit 1
    fi
    sed -n "s/.*undefined reference to \`\(.*\)'\$/\1/p" "$out/link.txt" |
        sort -u > "$out/undefined.txt"
    if grep -vE '^((vtable|typeinfo|typeinfo name|VTT) for )?polytrain::' "$out/undefined.txt"; then
        echo "compile_gate.sh: the names above are in no library and not PolyTrain's" >&2
        exit 1
    fi
    for program in "${programs[@]}"; do
        case $program in
            *.a) nm -C --defined-only "$program" ;;
            *) nm -DC --defined-only "$program" ;; # what a library that it opens can see
        esac
    done 2> /dev/null | sed 's/^[0-9a-f]* [A-Za-z] //' | sort -u > "$out/defined.txt"
    if [ ${#programs[@]} -gt 0 ] && comm -23 "$out/undefined.txt" "$out/defined.txt" | grep .; then
        echo "compile_gate.sh: the names above are not in ${programs[*]}" >&2
        exit 1
    fi
    echo "compile_gate.sh: linked; $(wc -l < "$out/undefined.txt") names are the program's"
fi

if [ ${#check[@]} -gt 0 ]; then "${check[@]}" "$out"; fi
