// SPDX-License-Identifier: Apache-2.0
// What this machine can do at best, for compare_pytorch.py: oneDNN's product of two sizes of the 2B
// model in each type, weights packed beforehand, and the rate at which memory is read. Prints one
// JSON line. OMP_NUM_THREADS says how many threads: oneDNN's OpenMP reads it, too.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dnnl.hpp>
#include <span>
#include <thread>
#include <vector>

namespace {

using dnnl::memory;

/// Seconds of the best of several calls of `work`.
template <class Work>
[[nodiscard]] double best_of(int calls, const Work& work) {
  double best = 1e9;
  for (int call = 0; call < calls; ++call) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    best = std::min(best, passed.count());
  }
  return best;
}

/// Operations a second of [rows, inner] × [inner, columns], weights in the layout oneDNN prefers.
[[nodiscard]] double product_rate(memory::dim rows, memory::dim columns, memory::dim inner,
                                  memory::data_type type) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const bool integers = type == memory::data_type::s8;
  // Integers give their 32-bit sums, the other types what they take.
  const memory::desc x({rows, inner}, integers ? memory::data_type::u8 : type,
                       memory::format_tag::ab);
  const memory::desc w({inner, columns}, type, memory::format_tag::any);
  const memory::desc y({rows, columns}, integers ? memory::data_type::s32 : type,
                       memory::format_tag::ab);
  const dnnl::matmul::primitive_desc chosen(engine, x, w, y);
  const dnnl::matmul matmul(chosen);
  const memory from(x, engine);
  const memory weights(chosen.weights_desc(), engine);
  const memory to(y, engine);
  std::memset(from.get_data_handle(), 0x3c, x.get_size());  // small numbers in every type
  std::memset(weights.get_data_handle(), 0x3b, chosen.weights_desc().get_size());
  const double seconds = best_of(5, [&] {
    matmul.execute(stream, {{DNNL_ARG_SRC, from}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, to}});
    stream.wait();
  });
  return 2.0 * static_cast<double>(rows * columns * inner) / seconds;
}

/// Bytes a second that all threads together read from memory: 2 GB, far more than any cache, in
/// huge pages where the system has them.
[[nodiscard]] double read_rate(std::size_t threads) {
  constexpr std::size_t bytes = 2'000'000'000 / 4096 * 4096;
  void* const place =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return 0;
  madvise(place, bytes, MADV_HUGEPAGE);
  std::memset(place, 1, bytes);
  const std::span all(static_cast<const std::uint64_t*>(place), bytes / sizeof(std::uint64_t));
  std::vector<std::uint64_t> sums(threads);
  const double seconds = best_of(5, [&] {
    std::vector<std::jthread> readers;
    for (std::size_t thread = 0; thread < threads; ++thread) {
      readers.emplace_back([&, thread] {
        const std::size_t begin = all.size() * thread / threads;
        const std::size_t end = all.size() * (thread + 1) / threads;
        std::uint64_t sum = 0;
        for (const std::uint64_t number : all.subspan(begin, end - begin)) sum += number;
        sums[thread] = sum;
      });
    }
  });
  munmap(place, bytes);
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  // Using the sum keeps the loop alive.
  return sum == bytes / 8 * 0x0101010101010101U ? static_cast<double>(bytes) / seconds : 0;
}

struct Type {
  const char* name;
  memory::data_type type;
};

void run(std::size_t threads) {
  const auto* const version = dnnl::version();
  std::printf(R"({"onednn": "%d.%d.%d", )", version->major, version->minor, version->patch);
  for (const Type& each : {Type{"bf16", memory::data_type::bf16},
                           {"fp32", memory::data_type::f32},
                           {"int8", memory::data_type::s8}}) {
    std::printf(R"("%s": {"vision": %.4g, "language": %.4g}, )", each.name,
                product_rate(4096, 5120, 1280, each.type),
                product_rate(1024, 8960, 1536, each.type));
  }
  std::printf("\"read\": %.4g}\n", read_rate(threads));
}

}  // namespace

int main() {
  const char* const threads = std::getenv("OMP_NUM_THREADS");
  if (threads == nullptr || std::atoi(threads) < 1) {
    std::fprintf(stderr, "ceiling: expected OMP_NUM_THREADS in the environment\n");
    return 2;
  }
  try {
    run(static_cast<std::size_t>(std::atoi(threads)));
    return 0;
  } catch (const dnnl::error& error) {
    std::fprintf(stderr, "ceiling: %s\n", error.what());
    return 1;
  }
}
