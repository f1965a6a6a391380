// SPDX-License-Identifier: Apache-2.0
// Every definition of <stamp/session/…>: result files and exported runs.
#pragma once

#include <stamp/session/answer_files.ipp>
#include <stamp/session/exported_run.ipp>
#include <stamp/session/exported_sam_run.ipp>
#include <stamp/session/parity.ipp>
#include <stamp/session/picture_steps.ipp>
#include <stamp/session/replay.ipp>
#include <stamp/session/result_folder.ipp>
#include <stamp/session/staging.ipp>
