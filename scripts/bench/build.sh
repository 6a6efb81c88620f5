#!/usr/bin/env bash
# What the benchmarks beside it call first: installs their packages, builds the program for release.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/install_dependencies.sh --bench
cmake --preset release > /dev/null
cmake --build --preset release --target polytrain > /dev/null
