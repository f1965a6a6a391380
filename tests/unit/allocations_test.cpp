// SPDX-License-Identifier: Apache-2.0
// Once a dialogue is warm, a word costs no memory from the heap, whatever the number of layers.
// This program counts every call of operator new, on all threads.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <parity/tiny_dialogue.hpp>
#include <stamp/cpu/engine.hpp>
#include <stamp/text/sampling.hpp>

namespace {
std::atomic<std::int64_t> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  const std::size_t rounded = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment;
  void* const memory = std::aligned_alloc(alignment, rounded * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// Not inlined: GCC would take the pair of `new` and `free` for a mistake.
[[gnu::noinline]] void release(void* memory) noexcept { std::free(memory); }
}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, 16); }
void* operator new[](std::size_t bytes) { return counted(bytes, 16); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

namespace stamp::test {
namespace {

/// Heap allocations of each of 24 words after the first 8, picked among all scores or sampled.
template <class B>
std::vector<std::int64_t> allocations_a_word(B& engine, const qwen2_vl::Config& config,
                                             text::Sampler* sampler = nullptr) {
  Stamp<B> stamp(config);
  const RandomWeights weights(expected_tensors(stamp), 7);
  bind(engine, stamp, weights);
  Dialogue<B> dialogue(engine, stamp);
  const qwen2_vl::PatchGrid grid{1, 4, 6};
  const auto drawn = random_numbers(grid.patches() * config.vision.patch_length(), 5);
  dialogue.look(std::vector<float>(drawn.begin(), drawn.end()), {&grid, 1});
  auto scores = dialogue.read(tiny_prompt());

  constexpr Index words = 32;
  std::vector<std::int64_t> counts;
  counts.reserve(words);
  std::int64_t before = allocations;
  const auto count = [&](std::int32_t) {
    const std::int64_t now = allocations;
    counts.push_back(now - before);
    before = now;
  };
  if (sampler == nullptr) {
    (void)dialogue.generate(
        std::move(scores), token::im_end, words, [](auto, auto) { return 11; }, count);
  } else {
    (void)dialogue.generate_among(
        std::move(scores), sampler->keeps(), -1, words,
        [&](std::span<const Scored> kept) { return sampler->next(kept); }, count);
  }
  return {counts.begin() + 8, counts.end()};
}

TEST(Allocations, AWordTakesNothingFromTheHeapOnTheFastBackend) {
  for (const auto compute : {cpu::Compute::fp32, cpu::Compute::bf16, cpu::Compute::int8}) {
    if (compute != cpu::Compute::fp32 && cpu::best_isa() < cpu::Isa::avx512) continue;
    cpu::Engine engine(3, compute);
    const auto counts = allocations_a_word(engine, tiny_config());
    EXPECT_EQ(counts, std::vector<std::int64_t>(counts.size(), 0)) << name_of(compute);
  }
}

TEST(Allocations, ASampledWordTakesNothingFromTheHeapOnTheFastBackend) {
  cpu::Engine engine(3, cpu::Compute::fp32);
  text::Sampler sampler({text::Choice::sample, 0.7, 20, 0.9, 1.2});
  const auto counts = allocations_a_word(engine, tiny_config(), &sampler);
  EXPECT_EQ(counts, std::vector<std::int64_t>(24, 0));
}

/// One pass over the masks allocates for what it returns, not for layers: twice the layers, the
/// same count.
TEST(Allocations, OfAMaskPassDoNotGrowWithTheLayers) {
  const auto of_pass = [](Index layers) {
    qwen2_vl::Config config = tiny_config();
    config.text.num_hidden_layers = layers;
    cpu::Engine engine(3, cpu::Compute::fp32);
    Stamp<cpu::Engine> stamp(config);
    const RandomWeights weights(expected_tensors(stamp), 7);
    bind(engine, stamp, weights);
    Dialogue<cpu::Engine> dialogue(engine, stamp);
    const qwen2_vl::PatchGrid grid{1, 4, 6};
    const auto drawn = random_numbers(grid.patches() * config.vision.patch_length(), 5);
    dialogue.look(std::vector<float>(drawn.begin(), drawn.end()), {&grid, 1});
    (void)dialogue.read(tiny_prompt());
    (void)dialogue.segment(12, MaskPositions::text);
    const std::int64_t before = allocations;
    (void)dialogue.segment(12, MaskPositions::text);
    return allocations - before;
  };
  const std::int64_t shallow = of_pass(2);
  EXPECT_GT(shallow, 0) << "nothing was counted";
  EXPECT_EQ(shallow, of_pass(4));
}

}  // namespace
}  // namespace stamp::test
