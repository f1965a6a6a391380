// SPDX-License-Identifier: Apache-2.0
// SAM: its model, prompts and predictor, and STAMP's cascade over it. Brings no backend and no file
// format; engines that run it fulfil SamBackend.
#pragma once

#include <stamp/model/sam/cascade.hpp>
#include <stamp/model/sam/predictor.hpp>
