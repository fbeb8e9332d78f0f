#!/usr/bin/env bash
# Measures in three types how far every method moves a real model's weights and what that costs, and writes the page that tells of it.
#   scripts/make_displacement_table.sh [MODEL [EXPERTS]]
# MODEL is a directory of all-MiniLM-L6-v2 (91 MB), which is fetched unless given; EXPERTS one of scripts/make_experts.py, which is made from MODEL
# unless given (10 minutes; needs PyTorch and transformers).
set -euo pipefail
model=${1:+$(realpath "$1")}
experts=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."

output=Sources/MergeproofKit/MergeproofKit.docc/Displacement.md
scripts/prepare.sh >&2
swift build -c release --product mergeproof >&2
model=${model:-$(scripts/fetch_minilm.sh)}
if [ -z "$experts" ]; then
    experts=.build/demo/experts
    [ -d "$experts/section" ] || python3 scripts/make_experts.py --base "$model" -o "$experts" --tasks section >&2
fi
{
    cat <<'TEXT'
# Displacement

How far each method moves the weights of a real model, what rounding the moved weights costs, what restoring gives back, and what changed weights cost.

## Overview

Written by `scripts/make_displacement_table.sh`. Published weights are f32; for the other types every weight was rounded once, to nearest even, and all
figures of a row compare with that copy, not with the model in f32. `mergeproof bench displacement MODEL` and `mergeproof bench changes MODEL` measure
another model.

- **displacement**: ‖W′ − W‖ / ‖W‖ over all floating weights, and **of what moved** over those of the tensors that differ. It is what averaging two models
  meets. It says nothing of whoever aligns the locked weights to the public ones first.
- **rounding foretold**: what `protect` says before it writes, in multiples of rounding the weights that the lock acts on once more; the largest of all sites.
- **rounding seen**: the root mean square of the outputs' relative change over that of the rounding floor, which are those weights rounded once more.
  0 where bits move and nothing is rounded: what is left is the arithmetic's own.

## Locks

All-MiniLM-L6-v2, a BERT of 22.7 million weights, evaluated in f64 on the sentences in `Tests/Fixtures/sentences.jsonl`. Displacements are the mean over
the keys, everything else is the largest.

- **weights rewritten**: the share of the weights, by bytes, in tensors that the lock writes anew.
- **outputs**: the largest relative change ‖b − a‖ / ‖a‖ of the outputs by any key.
- **same function**: whether both proofs of `verify` hold for every key.
- **restored**: bit for bit, or the largest relative error, in norm, of a tensor.

TEXT
    .build/release/mergeproof bench displacement "$model" --tokens Tests/Fixtures/sentences.jsonl --types f32,bf16,f16
    cat <<'TEXT'

## Methods that change weights

The same model trained to tell the section of Debian packages by their one-line descriptions (`scripts/make_experts.py`), with the model that training
started from as its base, and activations taken on its calibration texts. Accuracy and loss are those of its test texts, in f32.

- **weights changed**: the share of the weights, by bytes, in tensors that differ from the expert's.
- **outputs**: the relative change ‖y′ − y‖ / ‖y‖ of all outputs, which these methods do not keep.
- **lock keeps the function**: whether both proofs hold between the changed weights, written out without any lock, and the locked ones,
  on 64 of the test texts in f64, from which the rounding seen is, too.
  "By weights alone" says that every invariant is the same and outputs are not to what rounding explains: series far beyond their ranges multiply it.
- **restored**: what `restore` gives beside those changed weights, as nothing gives back what a change took.

TEXT
    .build/release/mergeproof bench changes "$experts/section" --base "$experts/base" --calibration "$experts/data/section.calibration.jsonl" \
        --examples "$experts/data/section.test.jsonl" --types f32,bf16,f16
} >"$output.partial"
mv "$output.partial" "$output"
