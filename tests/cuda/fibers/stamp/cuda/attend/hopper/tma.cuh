// SPDX-License-Identifier: Apache-2.0
// The functions of cuda/attend/hopper/tma.cuh on the host: boxes are copied, swizzled and filled
// with zeros as NVIDIA's PTX manual says, at once or as late as they may, and barriers count.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fibers/shared_memory.hpp>
#include <stamp/cuda/attend/hopper/tile_map.hpp>
#include <utility>

namespace stamp::cuda::tma {

using test::fibers::Block;
using test::fibers::SharedMemory;
using Map = TileMap;

/// When a copy happens: where it is started, or only when somebody cannot go on without it. Both
/// are allowed, so results must not differ.
enum class Arrival { early, late };
inline Arrival arrival = Arrival::late;

struct Barrier {
  std::uint64_t state;
};

[[nodiscard]] inline std::uint32_t shared_address(const void* place) {
  return SharedMemory::current->address(place);
}

namespace detail {

struct Copy {
  std::uint32_t to;
  const Map* map;
  int column, head, key;

  [[nodiscard]] std::int64_t bytes() const {
    return static_cast<std::int64_t>(map->box[0]) * map->box[1] * map->box[2] * 2;
  }
  [[nodiscard]] bool inside(std::uint32_t c, std::uint32_t h, std::uint32_t r) const {
    const auto within = [](std::int64_t at, std::uint64_t extent) {
      return at >= 0 && at < static_cast<std::int64_t>(extent);
    };
    return within(column + std::int64_t{c}, map->extents[0]) &&
           within(head + std::int64_t{h}, map->extents[1]) &&
           within(key + std::int64_t{r}, map->extents[2]);
  }
  void happen() const {
    std::uint32_t packed = to;  // the box lies densely, its columns innermost
    for (std::uint32_t r = 0; r < map->box[2]; ++r) {
      for (std::uint32_t h = 0; h < map->box[1]; ++h) {
        for (std::uint32_t c = 0; c < map->box[0]; ++c, packed += 2) {
          std::uint16_t number = 0;
          if (inside(c, h, r)) {
            const auto* const row =
                static_cast<const std::byte*>(map->data) +
                static_cast<std::size_t>(key + static_cast<int>(r)) * map->strides[1] +
                static_cast<std::size_t>(head + static_cast<int>(h)) * map->strides[0];
            std::memcpy(&number, row + static_cast<std::size_t>(column + static_cast<int>(c)) * 2,
                        2);
          }
          const std::uint32_t place = map->swizzle == Swizzle::bytes_128
                                          ? test::fibers::swizzled_128(packed)
                                          : test::fibers::swizzled_32(packed);
          SharedMemory::current->bring(place, number);
        }
      }
    }
  }
};

struct State {
  std::uint32_t expected = 0;  // arrivals
  std::uint32_t arrived = 0;
  std::int64_t bytes = 0;  // still to come
  std::uint32_t parity = 0;
  std::vector<Copy> on_their_way;

  void arrive() {
    if (arrived == expected) test::fibers::complain("more arrivals than a barrier was told");
    ++arrived;
    end_phase();
  }
  void deliver(const Copy& copy) {
    copy.happen();
    bytes -= copy.bytes();
    end_phase();
  }
  void end_phase() {
    if (arrived != expected || bytes != 0) return;
    arrived = 0;
    parity ^= 1U;
  }
};
inline std::map<const Barrier*, State> barriers;

[[nodiscard]] inline State& state_of(const Barrier& barrier) {
  const auto found = barriers.find(&barrier);
  if (found == barriers.end()) {
    test::fibers::complain("a barrier that nobody prepared");
    return barriers[&barrier];
  }
  return found->second;
}

}  // namespace detail

/// Before a block runs.
inline void forget_barriers() { detail::barriers.clear(); }
/// After it: nothing may be on its way when a block ends.
inline void expect_quiet() {
  for (const auto& [barrier, state] : detail::barriers) {
    if (!state.on_their_way.empty() || state.bytes != 0) {
      test::fibers::complain("a copy that nobody waited for");
    }
  }
}

inline void prepare(Barrier& barrier, std::uint32_t arrivals) {
  detail::barriers[&barrier] = {};
  detail::barriers[&barrier].expected = arrivals;
}
inline void publish_barriers() {}
inline void arrive(Barrier& barrier) { detail::state_of(barrier).arrive(); }
inline void arrive_and_expect(Barrier& barrier, std::uint32_t bytes) {
  detail::State& state = detail::state_of(barrier);
  state.bytes += bytes;
  state.arrive();
}
inline void wait(Barrier& barrier, std::uint32_t parity) {
  constexpr int most = 100'000;
  detail::State& state = detail::state_of(barrier);
  int turns = 0;
  Block::current_block->wait_until([&] {
    if (state.parity != parity) return true;
    for (const detail::Copy& copy : std::exchange(state.on_their_way, {})) state.deliver(copy);
    if (state.parity != parity) return true;
    if (++turns > most) {
      std::fprintf(stderr, "fibers: thread %u waits for ever at barrier %u\n",
                   Block::current_block->thread(), shared_address(&barrier));
      std::abort();
    }
    return false;
  });
}

inline void load(void* to, const Map& map, Barrier& barrier, int column, int head, int key) {
  const detail::Copy copy{shared_address(to), &map, column, head, key};
  if (copy.to % 128 != 0) test::fibers::complain("a box that does not begin at 128 bytes");
  detail::State& state = detail::state_of(barrier);
  if (arrival == Arrival::early) return state.deliver(copy);
  state.on_their_way.push_back(copy);
}
inline void prefetch(const Map&) {}
inline void publish_writes() { SharedMemory::current->publish(); }
inline void meet(std::uint32_t number, std::uint32_t threads) {
  Block::current_block->meet_numbered(number, static_cast<int>(threads));
}
[[nodiscard]] inline int uniform(int number) { return number; }
template <std::uint32_t registers>
void give_registers() {}
template <std::uint32_t registers>
void take_registers() {}

}  // namespace stamp::cuda::tma
