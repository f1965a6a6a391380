// SPDX-License-Identifier: Apache-2.0
// What stamp::cpu is compiled from: the models on this engine. A program that does not link it
// includes this file, beside <stamp/formats.ipp>, in exactly one of its translation units.
#pragma once

#include <stamp/cpu.hpp>
#include <stamp/cpu/sam.hpp>

namespace stamp {

template class Model<cpu::Engine>;
template class Conversation<cpu::Engine>;
template Model<cpu::Engine> load<cpu::Engine>(const std::filesystem::path&, const LoadOptions&);
template Model<cpu::Engine> load<cpu::Engine>(const std::filesystem::path&, const LoadOptions&,
                                              cpu::Compute);
template SamModel<cpu::Engine> load_sam<cpu::Engine>(const std::filesystem::path&, Index,
                                                     cpu::Compute);
template MaskRefiner sam_refiner<cpu::Engine>(SamModel<cpu::Engine>&, const sam::CascadeOptions&,
                                              Recording<cpu::Engine::Number>*);

}  // namespace stamp
