#!/usr/bin/env bash
# What a machine with an NVIDIA card makes of this: one command, no network, at most 8 minutes, JSON.
#
#   deploy/gpu_check.sh pack DIR [--lean] [--cuda]         with a network: gather what the machine lacks
#   deploy/gpu_check.sh [--from DIR] [--json FILE]         on the machine; DIR: build/gpu_check
#   deploy/gpu_check.sh --smoke                            the CPU's parts in small, anywhere
#
# GPU_CHECK_PYTHON names the interpreter; else one that has a torch that sees the card.
set -euo pipefail
cd "$(dirname "$0")/.."

sees_card='import torch, sys; sys.exit(not torch.cuda.is_available())'
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
candidates=("${GPU_CHECK_PYTHON:-}" .venv/bin/python python3 /opt/conda/bin/python3 /usr/local/bin/python3
            /usr/bin/python3 python3.13 python3.12 python3.11)
found=
for candidate in "${candidates[@]}"; do
    python=$(command -v -- "${candidate:-/none}") || continue
    "$python" -c "$new_enough" || continue
    if [ -n "${GPU_CHECK_PYTHON:-}" ]; then found=$python; break; fi
    found=${found:-$python}
    case " $* " in *" --smoke "* | *" pack "*) break ;; esac
    if "$python" -c "$sees_card" 2>/dev/null; then found=$python; break; fi
done
[ -n "$found" ] || { echo "There is no Python 3.11 or newer here." >&2; exit 4; }
exec "$found" deploy/gpu_check.py "$@"
