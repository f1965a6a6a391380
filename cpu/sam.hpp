// SPDX-License-Identifier: Apache-2.0
// SAM on the fast CPU backend: opening a checkpoint, and refining masks with it.
#pragma once

#include <stamp/cpu/engine.hpp>
#include <stamp/session/sam_refiner.hpp>

namespace stamp {

// In the library stamp::cpu, or in the unit of a program that includes <stamp/cpu/cpu.ipp>.
extern template SamModel<cpu::Engine> load_sam<cpu::Engine>(const std::filesystem::path&, Index,
                                                            cpu::Compute);
extern template MaskRefiner sam_refiner<cpu::Engine>(SamModel<cpu::Engine>&,
                                                     const sam::CascadeOptions&,
                                                     Recording<cpu::Engine::Number>*);

}  // namespace stamp
