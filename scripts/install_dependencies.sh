#!/usr/bin/env bash
# Installs what PolyTrain is built from: distribution packages only (docs/architecture.md says what
# each is for). With sudo when not root; without either it prints the line to run.
# Usage: install_dependencies.sh [--developer] [--fuzz] [--bench]
#   --developer   adds the format and lint tools, and strace, by which tests kill saves
#   --fuzz        adds clang, which builds the fuzz targets
#   --bench       adds PyTorch, which scripts/bench/ measures against
set -euo pipefail

packages=(g++ cmake ninja-build ccache libdnnl-dev libhwy-dev nlohmann-json3-dev libcli11-dev
          libspdlog-dev libfmt-dev libxxhash-dev libpcre2-dev libutf8proc-dev zlib1g-dev
          libzstd-dev libbz2-dev libeigen3-dev libopenmpi-dev openmpi-bin catch2 patch)
# Text of quickstart, which has one of its own without it; fibers of the emulated CUDA tests.
optional=(bible-kjv libboost-context-dev)
for argument in "$@"; do
    case $argument in
        --developer) packages+=(clang-format clang-tidy strace) ;;
        # The run-time library has a package of its own on some systems; llvm names lines.
        --fuzz) packages+=(clang) optional+=(libclang-rt-dev llvm) ;;
        # PyTorch multiplies f32 by whatever BLAS there is: without OpenBLAS ten times slower.
        --bench) packages+=(python3 python3-torch libopenblas0-pthread python3-venv python3-dev) ;;
        *) sed -n '4,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
missing=() missing_optional=()
for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
for package in "${optional[@]}"; do installed "$package" || missing_optional+=("$package"); done
[ ${#missing[@]} -gt 0 ] || [ ${#missing_optional[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "PolyTrain's scripts install packages with apt-get, which this system has not." >&2
    echo "Install these by its own means, then run again: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        [ ${#missing[@]} -gt 0 ] || exit 0
        echo "Packages are missing and there is no sudo. As root, run:" >&2
        echo "    apt-get update && apt-get install -y ${missing[*]} ${missing_optional[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "Installing: ${missing[*]} ${missing_optional[*]}"
"${as_root[@]}" apt-get update -q
if [ ${#missing[@]} -gt 0 ]; then
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends "${missing[@]}"
fi
for package in "${missing_optional[@]}"; do
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends "$package" || echo "$package is not to be had here: going on without"
done
