// SPDX-License-Identifier: Apache-2.0
// The fast CPU backend with everything that loads and runs a checkpoint on it.
#pragma once

#include <stamp/cpu/engine.hpp>
#include <stamp/session.hpp>
#include <stamp/stamp.hpp>

namespace stamp {

// In the library stamp::cpu, or in the unit of a program that includes <stamp/cpu/cpu.ipp>.
extern template class Model<cpu::Engine>;
extern template class Conversation<cpu::Engine>;
extern template Model<cpu::Engine> load<cpu::Engine>(const std::filesystem::path&,
                                                     const LoadOptions&);
extern template Model<cpu::Engine> load<cpu::Engine>(const std::filesystem::path&,
                                                     const LoadOptions&, cpu::Compute);

}  // namespace stamp
