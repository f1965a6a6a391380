#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs PyTorch now: exports every golden again, compares that with the committed files, and compares
# the C++ backends with what was exported a moment ago.
set -euo pipefail
cd "$(dirname "$0")/../.."
bash reference/pytorch/venv.sh
live=build/live-goldens
rm -rf "$live"
.venv/bin/python reference/pytorch/compare_goldens.py --keep "$live"
STAMP_FRESH_ACTIVATIONS=$live/activations build/tests/goldens_test --gtest_brief=1
.venv/bin/python reference/pytorch/sam_goldens.py --keep "$live/sam"
STAMP_FRESH_SAM=$live/sam build/tests/sam_goldens_test --gtest_brief=1
.venv/bin/python tests/text/compare_tokenizer.py --stamp build/stamp
