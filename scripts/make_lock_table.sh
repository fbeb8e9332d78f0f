#!/usr/bin/env bash
# Locks, verifies and restores the recorded model of every family by every lock, and writes the table.
#   scripts/make_lock_table.sh [OUTPUT]
set -euo pipefail
cd "$(dirname "$0")/.."

output=${1:-Sources/MergeproofKit/MergeproofKit.docc/Locks.md}
swift build -c release --product mergeproof >&2
{
    cat <<'TEXT'
# Locks and families

Every lock on the recorded model of every family: what it does to the outputs, and how the weights come back.

## Overview

Written by `scripts/make_lock_table.sh` from the tiny random models in `Tests/Fixtures`, one key each, on random inputs; those whose names end in `bf16` and `f16` are stored so, all others in f32. Both proofs
of `verify` held for every entry.

- **outputs**: the relative change of the outputs, in f64 arithmetic on the weights as they are stored. **by weights**: some part of the model is not understood and copied, so that the weights alone were judged.
- **bit for bit**, **back to**: what restoring gave, or the largest relative error, in norm, of a tensor.
- **refused**: for the reason below the table.

`mergeguard`, `decoy` and `params --prune` change the function and are not listed: <doc:Decoy>.

TEXT
    .build/release/mergeproof families Tests/Fixtures --locks
} >"$output.partial"
mv "$output.partial" "$output"
