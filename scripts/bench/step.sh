#!/usr/bin/env bash
# A whole training step against PyTorch: the distribution's python3-torch, in the environment in which
# it is quickest, or with --venv the current one from PyPI. The same shapes, weights and tokens, run in
# turn, the same number of threads; speeds, their ratio, peak memory. Results in runs/bench/.
# Usage: step.sh [--venv] [OPTION...]   step.sh --help lists the options
#   --venv   PyTorch by pip, in build/bench/torch_venv. pip's settings choose the wheel: PyPI's has
#            CUDA libraries, which are big and not used; PIP_INDEX_URL may name PyTorch's own index
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
options=() venv=
for argument in "$@"; do
    if [ "$argument" = --venv ]; then venv=build/bench/torch_venv; else options+=("$argument"); fi
done
"$here/build.sh"
if [ -n "$venv" ]; then
    "$venv/bin/python" -c 'import torch' 2> /dev/null || {
        /usr/bin/python3 -m venv "$venv"
        "$venv/bin/pip" -q install torch
    }
    options+=(--python "$PWD/$venv/bin/python")
fi
exec /usr/bin/python3 "$here/step.py" "${options[@]}"
