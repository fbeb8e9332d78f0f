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
    model=$(scripts/fetch_minilm.sh)
fi

.build/release/mergeproof inspect "$model"
echo
.build/release/mergeproof demo "$model" --work .build "${tokens[@]}"
