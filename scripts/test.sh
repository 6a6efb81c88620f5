#!/usr/bin/env bash
# Installs packages, builds and runs the tests.
# Usage: test.sh [--sanitize] [--slow]
#   (nothing)    release build, the fast set and that of several processes (mpi)
#   --sanitize   the same sets under AddressSanitizer and UndefinedBehaviorSanitizer, then a minute
#                of each fuzz target
#   --slow       release build, the slow set, and the tests of the tests (scripts/mutants.sh)
set -euo pipefail
cd "$(dirname "$0")/.."

preset=release label='fast|mpi'
for argument in "$@"; do
    case $argument in
        --sanitize) preset=asan ;;
        --slow) label=slow ;;
        *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done

scripts/install_dependencies.sh
cmake --preset "$preset" -DPOLYTRAIN_TESTS=ON
cmake --build --preset "$preset"
ctest --preset "$preset" -L "$label"
if [ "$label" = slow ]; then scripts/mutants.sh; fi
if [ "$preset" = asan ]; then scripts/fuzz.sh 60; fi
