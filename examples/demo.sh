#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Segments a picture that ships with the project with the model that ships with the project, and
# sharpens its masks with the SAM that does, from a fresh clone on a fresh Debian 12: installs what is
# missing, builds the command, runs it.
#   bash examples/demo.sh [IMAGE PROMPT]
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:-examples/images/balloons.png}
prompt=${2:-the red balloon}
out=stamp-out

bash cmake/packages.sh
[ -f build/build.ninja ] || cmake --preset release >/dev/null
cmake --build build --target stamp_command
build/stamp segment "$image" "$prompt" --refine examples/models/tiny-sam/model.safetensors --out "$out"
echo "the picture with its masks: $PWD/$out/overlay.png"
