#!/usr/bin/env bash
# Installs packages, builds and runs the tests.
# Usage: test.sh [--sanitize | --races | --slow]
#   (nothing)    release build, the fast set, that of several processes (mpi), that of the CUDA
#                backend on the emulator (emulated), and the compile gate (gate), which compiles it
#                by nvcc where there is one
#   --sanitize   the sets but the gate under AddressSanitizer and UndefinedBehaviorSanitizer, then
#                a minute of each fuzz target
#   --races      the emulated set under ThreadSanitizer: races between threads of a kernel, and
#                between streams
#   --slow       release build, the slow set, and the tests of the tests (scripts/mutants.sh)
set -euo pipefail
cd "$(dirname "$0")/.."

preset=release label='fast|mpi|emulated|gate'
for argument in "$@"; do
    case $argument in
        --sanitize) preset=asan label='fast|mpi|emulated' ;;
        --races) preset=tsan label=emulated ;;
        --slow) label=slow ;;
        *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done

scripts/install_dependencies.sh
cmake --preset "$preset" -DPOLYTRAIN_TESTS=ON
if [ "$preset" = tsan ]; then
    if ! cmake --build --preset tsan --target help | grep -q test_emulator; then
        echo "Skipped: the emulated CUDA backend isn't built (no CUDA headers or Boost.Context)"
        exit 0
    fi
    cmake --build --preset tsan --target test_ops polytrain_cuda_emulated test_emulator
else
    cmake --build --preset "$preset"
fi
ctest --preset "$preset" -L "$label"
if [ "$label" = slow ]; then scripts/mutants.sh; fi
if [ "$preset" = asan ]; then scripts/fuzz.sh 60; fi
