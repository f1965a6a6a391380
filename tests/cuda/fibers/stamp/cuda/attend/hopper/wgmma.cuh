// SPDX-License-Identifier: Apache-2.0
// The matrix instructions of cuda/attend/hopper/wgmma.cuh on the host. Operands are found through
// their descriptors as NVIDIA's PTX manual draws the layouts; they are read where a product is
// issued and again where it is waited for, and must be the same: hardware may read at any time
// between. Results appear where they are waited for; until then their registers hold NaN.
#pragma once

#include <bit>
#include <cfloat>
#include <cmath>
#include <deque>
#include <fibers/shared_memory.hpp>
#include <stamp/tensor/element.hpp>

namespace stamp::cuda::wgmma {

using test::fibers::Block;
using test::fibers::complain;
using test::fibers::SharedMemory;

namespace detail {

/// A matrix of numbers of bfloat16, as bits.
struct Operand {
  int columns = 0;
  std::vector<std::uint16_t> bits;
  [[nodiscard]] float at(int row, int column) const {
    bfloat16 number;
    number.bits = bits[static_cast<std::size_t>(row * columns + column)];
    return widen(number);
  }
};

/// What a descriptor names: `rows` rows by 16, `across`: 16 by `rows`, stored row by row of the 16.
[[nodiscard]] inline Operand operand(std::uint64_t descriptor, int rows, bool across) {
  const auto field = [&](unsigned at) {
    return static_cast<std::uint32_t>(descriptor >> at & 0x3fffU) * 16;
  };
  const auto mode = static_cast<std::uint32_t>(descriptor >> 62U);
  if (mode != 1 && mode != 3) complain("a swizzle that the emulation does not know");
  if ((descriptor >> 49U & 7U) != 0) complain("a base offset that the emulation does not know");
  const std::uint32_t start = field(0);
  const std::uint32_t leading = field(16);
  const std::uint32_t stride = field(32);
  const std::uint32_t width = mode == 1 ? 128 : 32;  // bytes of a row
  Operand found{16, {}};
  for (int row = 0; row < rows; ++row) {
    for (int k = 0; k < 16; ++k) {
      // Rows of the stored matrix run along k where the product goes across it.
      const auto r = static_cast<std::uint32_t>(across ? k : row);
      const auto byte = static_cast<std::uint32_t>(across ? row : k) * 2;
      const std::uint32_t place =
          start + byte / width * leading + byte % width + r / 8 * stride + r % 8 * width;
      found.bits.push_back(SharedMemory::current->read(
          mode == 1 ? test::fibers::swizzled_128(place) : test::fibers::swizzled_32(place)));
    }
  }
  return found;
}

/// One product of a warp: 16 rows of the 64.
struct Product {
  int columns = 0;
  bool onto = true;
  bool left_in_registers = false;
  std::uint64_t a = 0;  // of the warp's own rows
  std::uint64_t b = 0;
  Operand left, right;
  void read() {
    if (!left_in_registers) left = operand(a, 16, false);
    right = operand(b, columns, left_in_registers);
  }
};

using Registers = std::array<std::uint32_t, 4>;

struct Issued {
  std::shared_ptr<Product> product;
  float* c = nullptr;
  const std::uint32_t* a = nullptr;
  Registers copied{};
};

/// What a thread has issued; `hidden` are the numbers that its registers will hold.
struct Thread {
  bool fenced = false;
  std::vector<Issued> open;
  std::deque<std::vector<Issued>> groups;
  std::map<float*, std::vector<float>> hidden;
};
inline std::map<unsigned, Thread> threads;
struct Warp {
  std::shared_ptr<Product> issued;
  std::array<Registers, 32> registers{};
};
inline std::map<unsigned, Warp> warps;

inline constexpr std::uint32_t in_flight = 0x7fc0beefU;  // a NaN that nobody computes

[[nodiscard]] inline Thread& me() { return threads[Block::current_block->thread()]; }

inline void issue(float* c, const std::uint32_t* a, const Product& product) {
  Block& block = *Block::current_block;
  Thread& thread = me();
  Warp& warp = warps[block.thread() / 32];
  if (!thread.fenced) complain("a product without a fence before its group");
  Registers copied{};
  if (a != nullptr) std::copy_n(a, 4, copied.begin());
  warp.registers[block.thread() % 32] = copied;
  block.meet_warp([&] {
    warp.issued = std::make_shared<Product>(product);
    warp.issued->read();
    if (a == nullptr) return;
    Operand& left = warp.issued->left;
    left = {16, std::vector<std::uint16_t>(std::size_t{16} * 16)};
    for (std::size_t lane = 0; lane < 32; ++lane) {
      for (std::size_t i = 0; i < 4; ++i) {
        const std::size_t row = lane / 4 + i % 2 * 8;
        const std::size_t column = lane % 4 * 2 + i / 2 * 8;
        left.bits[row * 16 + column] = static_cast<std::uint16_t>(warp.registers[lane][i]);
        left.bits[row * 16 + column + 1] =
            static_cast<std::uint16_t>(warp.registers[lane][i] >> 16U);
      }
    }
  });
  const auto count = static_cast<std::size_t>(product.columns) / 2;
  std::vector<float>& hidden = thread.hidden[c];
  if (hidden.empty()) {
    hidden.assign(c, c + count);
    std::fill_n(c, count, std::bit_cast<float>(in_flight));
  }
  thread.open.push_back({warp.issued, c, a, copied});
}

inline void finish(Thread& thread, const Issued& issued) {
  Block& block = *Block::current_block;
  const Product& product = *issued.product;
  block.meet_warp([&] {
    Product again = product;
    again.read();
    if (again.left.bits != product.left.bits || again.right.bits != product.right.bits) {
      complain("shared memory changed while a product was reading it");
    }
  });
  if (issued.a != nullptr && !std::equal(issued.a, issued.a + 4, issued.copied.begin())) {
    complain("registers changed while a product was reading them");
  }
  const int lane = static_cast<int>(block.thread() % 32);
  std::vector<float>& c = thread.hidden[issued.c];
  for (int at = 0; at < product.columns / 2; ++at) {
    const int row = lane / 4 + at % 4 / 2 * 8;
    const int column = at / 4 * 8 + lane % 4 * 2 + at % 2;
    float sum = product.onto ? c[static_cast<std::size_t>(at)] : 0;
    for (int k = 0; k < 16; ++k) sum += product.left.at(row, k) * product.right.at(column, k);
    c[static_cast<std::size_t>(at)] = sum;
  }
}

/// Numbers whose last product is finished appear.
inline void reveal(Thread& thread) {
  for (auto at = thread.hidden.begin(); at != thread.hidden.end();) {
    const auto uses = [&](const Issued& issued) { return issued.c == at->first; };
    bool busy = std::any_of(thread.open.begin(), thread.open.end(), uses);
    for (const auto& group : thread.groups) {
      busy = busy || std::any_of(group.begin(), group.end(), uses);
    }
    if (busy) {
      ++at;
      continue;
    }
    float* const c = at->first;
    for (std::size_t i = 0; i < at->second.size(); ++i) {
      if (std::bit_cast<std::uint32_t>(c[i]) != in_flight) {
        complain("registers changed while a product was writing them");
      }
      c[i] = at->second[i];
    }
    at = thread.hidden.erase(at);
  }
}

}  // namespace detail

/// Before a block runs.
inline void forget_products() {
  detail::threads.clear();
  detail::warps.clear();
}
/// After it.
inline void expect_finished() {
  for (const auto& [number, thread] : detail::threads) {
    if (!thread.open.empty() || !thread.groups.empty()) complain("a product nobody waited for");
  }
}

inline void fence() {
  Block::current_block->meet_warp();
  detail::me().fenced = true;
}
inline void commit() {
  detail::Thread& thread = detail::me();
  thread.groups.push_back(std::move(thread.open));
  thread.open.clear();
  thread.fenced = false;
}
template <int pending>
void wait() {
  detail::Thread& thread = detail::me();
  while (thread.groups.size() > pending) {
    for (const detail::Issued& issued : thread.groups.front()) detail::finish(thread, issued);
    thread.groups.pop_front();
  }
  detail::reveal(thread);
}
template <int count>
void settle(float (&)[count]) {}

inline void multiply_128(float (&c)[64], std::uint64_t a, std::uint64_t b, bool onto) {
  // Warp w of the group takes the rows from 16w: two times the stride between eight rows further.
  const std::uint64_t warp = Block::current_block->thread() / 32 % 4;
  const std::uint64_t rows = 2 * warp * (a >> 32U & 0x3fffU);
  detail::issue(c, nullptr, {128, onto, false, a + rows, b, {}, {}});
}
template <int columns>
void multiply_add(float* c, const std::uint32_t (&a)[4], std::uint64_t b) {
  static_assert(columns == 16 || columns == 64 || columns == 128);
  detail::issue(c, a, {columns, true, true, 0, b, {}, {}});
}

}  // namespace stamp::cuda::wgmma
