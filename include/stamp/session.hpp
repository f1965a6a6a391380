// SPDX-License-Identifier: Apache-2.0
// From files to answers: load a checkpoint, read an image, ask. Comes with every backend.
#pragma once

#include <stamp/image/overlay.hpp>
#include <stamp/image/read.hpp>
#include <stamp/session/answer_files.hpp>
#include <stamp/session/conversation.hpp>
