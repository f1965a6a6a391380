// SPDX-License-Identifier: Apache-2.0
// What the CUDA runtime reports as one sentence of stamp::Error. Plain host logic, so that every
// sentence is tested where there is no GPU; device.cpp hands over what the runtime said.
#pragma once

#include <source_location>
#include <stamp/tensor/check.hpp>
#include <string>
#include <string_view>

namespace stamp::cuda {

/// "13.0" from the runtime's 13000.
[[nodiscard]] inline std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// "512.0 MiB".
[[nodiscard]] inline std::string mebibytes(std::size_t bytes) {
  const std::size_t tenths = (bytes * 10) >> 20U;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

/// "norm.cu:42": the file's name without the folders of the machine that built it.
[[nodiscard]] inline std::string place(const std::source_location& where) {
  std::string_view file = where.file_name();
  file.remove_prefix(file.find_last_of('/') + 1);  // npos + 1 is 0
  return std::string(file) + ":" + std::to_string(where.line());
}

/// Why no device can be used; empty when one can. `driver` is 0 where none is installed; `refusal`
/// is what it said instead of counting its devices, where that was something else than none.
[[nodiscard]] inline std::string why_no_device(int driver, int runtime, int devices,
                                               std::string_view refusal = {}) {
  if (driver == 0) return "cuda: no device: expected an NVIDIA driver, found none";
  if (driver / 1000 < runtime / 1000) {
    return "cuda: driver too old: expected one for CUDA " + version_text(runtime) +
           ", found one for CUDA " + version_text(driver);
  }
  if (!refusal.empty()) {
    return "cuda: no device: expected an NVIDIA GPU, found a driver that says: " +
           std::string(refusal);
  }
  if (devices == 0) return "cuda: no device: expected an NVIDIA GPU, found none";
  return {};
}

/// For a device that none of the machine code fits.
[[nodiscard]] inline std::string no_code_for(std::string_view device, int major, int minor,
                                             std::string_view built) {
  return "cuda: architecture not built: expected code for compute capability " +
         std::to_string(major) + "." + std::to_string(minor) + " (" + std::string(device) +
         "), found " + std::string(built);
}

/// `needed` is "1536.0 MiB", or where nobody says how much: "memory for the product library".
[[nodiscard]] inline std::string out_of_memory(std::string_view needed) {
  return "cuda: out of device memory: needed " + std::string(needed);
}
[[nodiscard]] inline std::string out_of_memory(std::string_view needed, std::size_t free,
                                               std::size_t total) {
  return out_of_memory(needed) + ", free are " + mebibytes(free) + " of " + mebibytes(total);
}

/// Of the host, which copies travel through. How much of it is free the runtime does not tell.
[[nodiscard]] inline std::string out_of_pinned_memory(std::size_t needed) {
  return "cuda: out of pinned memory: needed " + mebibytes(needed);
}

/// After a kernel has failed nothing else on the device can be trusted.
[[nodiscard]] inline std::string kernel_fault(std::string_view reason, std::string_view where) {
  return "cuda: kernel fault: " + std::string(reason) + ", noticed at " + std::string(where);
}

[[nodiscard]] inline std::string call_failed(std::string_view reason, std::string_view where) {
  return "cuda: " + std::string(reason) + ", at " + std::string(where);
}

}  // namespace stamp::cuda
