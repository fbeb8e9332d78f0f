#!/usr/bin/env bash
# Measures the recorded model of every family and writes the table of families.
#   scripts/make_family_table.sh [OUTPUT]
set -euo pipefail
cd "$(dirname "$0")/.."

output=${1:-Sources/MergeproofKit/MergeproofKit.docc/Families.md}
swift build -c release --product mergeproof >&2
{
    cat <<'TEXT'
# Families

Where each family's weights can be moved without changing its function, what is left out and why, and the errors seen.

## Overview

Written by `scripts/make_family_table.sh` from the tiny random models in `Tests/Fixtures`, which Hugging Face transformers made and evaluated.
A site is a place where a group acts on the weights and leaves the function as it is: `vo` values and outputs of heads, `qk` queries and
keys, `qk_gain` the gains of a norm on them, `mlp` hidden channels, `heads` and `experts` whole ones, `residual` a residual stream's channels. The dimension counts the real parameters of all groups together.
Sites follow from a family's blocks, so what is left out is derived, too.

Models at the end of the table have a part that is copied and not understood; they are locked around it and not evaluated here.
`scripts/check_transformers.py` evaluates them in transformers, before and after.

- **f32**, **f64**: ‖ours − theirs‖ / ‖theirs‖ of the outputs, our forward pass in f32 against transformers in f32, ours in f64 against theirs in f64.
- **drift**: largest relative change of the f64 outputs by any method, weights stored as they are (f32 unless the name says otherwise).
- **drift / floor**: root mean square, over 8 keys each of the samplers D·Q and orthogonal, of the drift, over that of rounding the original's weights
  once more. A tiny model's outputs are few numbers: single models scatter around 1.

TEXT
    .build/release/mergeproof families Tests/Fixtures
} >"$output.partial"
mv "$output.partial" "$output"
