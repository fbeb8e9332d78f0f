#!/usr/bin/env bash
# Times protection of a 1.4 GB bf16 Llama-shaped checkpoint against `cp -r` and sync, in turn, with OpenBLAS free to choose its kernels;
# then, for its memory, of one whose embedding and head take 2 GB each. Needs 9 GB of disk space.
#   scripts/bench.sh [DIRECTORY TO WORK IN]
set -euo pipefail
work=$(realpath "${1:-.}")
cd "$(dirname "$0")/.."

scripts/prepare.sh
swift build -c release --product mergeproof
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE .build/release/mergeproof bench --work "$work"
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE .build/release/mergeproof bench --work "$work" --vocabulary 500000 --layers 1 --rounds 1
