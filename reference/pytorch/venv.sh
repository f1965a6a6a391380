#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the project's Python environment, .venv, from requirements.txt beside this script. Run again, it only does what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

requirements=reference/pytorch/requirements.txt
done_mark=.venv/requirements.sha256
if [[ -f $done_mark ]] && sha256sum --check --status "$done_mark"; then
  exit 0
fi

if ! python3 -c 'import ensurepip' 2>/dev/null; then
  sudo_if_needed=()
  [[ $(id -u) -eq 0 ]] || sudo_if_needed=(sudo)
  "${sudo_if_needed[@]}" apt-get update -qq
  "${sudo_if_needed[@]}" apt-get install -y -qq python3 python3-venv
fi

[[ -x .venv/bin/pip ]] || python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r "$requirements"
.venv/bin/python -c 'import torch, transformers, peft, PIL, safetensors, tokenizers'
sha256sum "$requirements" > "$done_mark"
