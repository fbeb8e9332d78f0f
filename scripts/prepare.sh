#!/usr/bin/env bash
# Installs what the build needs and is missing: OpenBLAS, LAPACKE and pkg-config from Debian or Ubuntu. Changes nothing where all is there.
set -euo pipefail

if ! command -v swift >/dev/null; then
    echo "prepare: no swift on the PATH; install Swift 6.2 or newer from swift.org" >&2
    exit 1
fi

missing=()
command -v pkg-config >/dev/null || missing+=(pkg-config)
pkg-config --exists openblas 2>/dev/null || missing+=(libopenblas-dev)
pkg-config --exists lapacke 2>/dev/null || missing+=(liblapacke-dev)
missing+=("$@")
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "prepare: please install ${missing[*]} (no apt-get here)" >&2
    exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
echo "prepare: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q >/dev/null
"${as_root[@]}" apt-get install -q -y "${missing[@]}" >/dev/null
