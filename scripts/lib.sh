# shellcheck shell=bash
# Shared by the scripts of this folder: where things are kept, and how they speak.
# Everything installed or built lives outside the checkout, so that every checkout shares it.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SNOWHAUL_CACHE=${SNOWHAUL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/snowhaul}
# The Python environment of the stand-ins and the checks (integration/requirements.txt, pinned).
VENV=${SNOWHAUL_VENV:-$SNOWHAUL_CACHE/venv}
# Tools built by cargo that a fresh machine lacks (cargo-deny).
TOOLS=$SNOWHAUL_CACHE/tools
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$SNOWHAUL_CACHE/target}
export ROOT SNOWHAUL_CACHE VENV TOOLS

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
