#!/usr/bin/env bash
# Installs, builds and runs all tests; formatting is one of them.
#   scripts/test.sh [ARGUMENTS FOR swift test]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/prepare.sh
swift format lint --strict --recursive Package.swift Plugins Sources Tests
swift build -c release
swift test -c release "$@"
