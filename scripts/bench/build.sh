#!/usr/bin/env bash
# What the benchmarks beside it call first: installs their packages, builds for release.
# Usage: build.sh [TARGET...]   beside the program
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/install_dependencies.sh --bench
cmake --preset release -DPOLYTRAIN_TESTS=ON > /dev/null
cmake --build --preset release --target polytrain "$@" > /dev/null
