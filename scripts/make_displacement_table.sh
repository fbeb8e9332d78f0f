#!/usr/bin/env bash
# Measures how far every lock moves a real model's weights, in three types, and writes the page that tells of it.
#   scripts/make_displacement_table.sh [MODEL]       MODEL: a directory of all-MiniLM-L6-v2 (91 MB), which is fetched unless given
set -euo pipefail
model=${1:+$(realpath "$1")}
cd "$(dirname "$0")/.."

output=Sources/MergeproofKit/MergeproofKit.docc/Displacement.md
scripts/prepare.sh >&2
swift build -c release --product mergeproof >&2
model=${model:-$(scripts/fetch_minilm.sh)}
{
    cat <<'TEXT'
# Displacement

How far each lock moves the weights of a real model, what rounding the moved weights costs, and what restoring gives back.

## Overview

Written by `scripts/make_displacement_table.sh` from all-MiniLM-L6-v2, a BERT of 22.7 million weights, evaluated in f64 on the sentences in
`Tests/Fixtures/sentences.jsonl`. It is published in f32; for the other types every weight was rounded once, to nearest even, and all figures of
a row compare with that copy, not with the model in f32. `mergeproof bench displacement MODEL` measures another model.

- **weights rewritten**: the share of the weights, by bytes, in tensors that the lock writes anew.
- **displacement**: ‖W′ − W‖ / ‖W‖ over all floating weights, and **of what moved** over those of the tensors that differ; the mean over the keys. It is what
  averaging two models meets. It says nothing of whoever aligns the locked weights to the public ones first.
- **rounding foretold**: what `protect` says before it writes, in multiples of rounding the original's weights once more; the largest of all sites.
- **rounding seen**: the root mean square of the outputs' relative change over that of the rounding floor, which is the original with its moved weights
  rounded once more. 0 where bits move and nothing is rounded: what is left is the arithmetic's own.
- **outputs**: the largest relative change ‖b − a‖ / ‖a‖ of the outputs by any key.
- **same function**: whether both proofs of `verify` hold for every key.
- **restored**: bit for bit, or the largest relative error, in norm, of a tensor.

TEXT
    .build/release/mergeproof bench displacement "$model" --tokens Tests/Fixtures/sentences.jsonl --types f32,bf16,f16
} >"$output.partial"
mv "$output.partial" "$output"
