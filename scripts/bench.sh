#!/usr/bin/env bash
# Times protection of a 1.4 GB bf16 Llama-shaped checkpoint by every lock against `cp -r` and sync, in turn, with OpenBLAS free to choose
# its kernels, and a dense rotation against its products by themselves; then, for its memory, of one whose embedding and head take 2 GB
# each. Needs 9 GB of disk space. Dense rotations take most of the time: 3 and 8 trillion operations each time.
#   scripts/bench.sh [DIRECTORY TO WORK IN]
set -euo pipefail
work=$(realpath "${1:-.}")
cd "$(dirname "$0")/.."

scripts/prepare.sh
swift build -c release --product mergeproof
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE .build/release/mergeproof bench --work "$work"
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE .build/release/mergeproof bench --work "$work" --vocabulary 500000 --layers 1 --rounds 1
