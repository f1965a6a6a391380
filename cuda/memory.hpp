// SPDX-License-Identifier: Apache-2.0
// The CUDA engine's state: its device, its scratch memory, and the way in and out.
#pragma once

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <stamp/cuda/attend/attention.hpp>
#include <stamp/cuda/attend/tiles.hpp>
#include <stamp/cuda/element.hpp>
#include <stamp/cuda/kept.hpp>
#include <stamp/cuda/precision.hpp>
#include <stamp/cuda/quantize.hpp>
#include <stamp/cuda/recordings.hpp>
#include <stamp/cuda/together.hpp>
#include <stamp/ops/fused.hpp>
#include <stamp/tensor/arena.hpp>
#include <stamp/tensor/widen_stored.hpp>
#include <vector>

namespace stamp::cuda {

/// An embedding table stays where it is stored: few of its rows are ever read.
template <Axis Rows, Axis Width>
struct Table {
  StoredTensor stored;
  Rows rows{0};
  Width width{0};
};

/// Runs every operation on one GPU, sm_80 or later. `T` is the type of activations and, but for
/// big matrices in 8 bits, of weights: float (true float32, no TF32) or bfloat16 (sums in float).
/// Work is queued; `download` waits for it. The same process computes the same bits from the same
/// input. One engine serves one thread.
template <DeviceElement T>
class Engine {
 public:
  using Element = T;
  using Number = float;
  template <Axis Out, Axis In>
  using Matrix = cuda::Matrix<T, Out, In>;
  template <Axis Rows, Axis Width>
  using Table = cuda::Table<Rows, Width>;
  template <Axis A>
  using Vector = cuda::Kept<T, A>;
  template <Axis... Axes>
  using Kept = cuda::Kept<T, Axes...>;

  /// Where the arena takes its blocks from.
  struct ScratchSource {
    static constexpr std::size_t alignment = 256;  ///< what device allocations have
    static constexpr std::size_t smallest_block = std::size_t{8} << 20U;
    Device* device;
    std::byte* allocate(std::size_t bytes) const { return device->allocate(bytes); }
    void release(std::byte* bytes) const noexcept { device->release(bytes); }
    void poison(std::byte* bytes, std::size_t count) const noexcept {
      device->poison(bytes, count);
    }
  };
  using Scratch = ArenaOf<ScratchSource>;

  /// The first GPU. Error{resource} where there is none that can be used. The number of threads is
  /// what every engine takes; this one needs a single one.
  explicit Engine(Index = 1) : device_(std::make_shared<Device>()), arena_({device_.get()}) {}
  /// With its big matrices kept in `weights`, and the matrix kernel of attention that is named;
  /// where the device cannot run that, `mma`: attention() says which it is.
  Engine(Index threads, Weights weights, Attention attention = Attention::mma)
    requires std::same_as<T, bfloat16>
      : Engine(threads) {
    wanted_ = weights_ = weights;
    attention_ = attention_here(attention);
  }
  Engine(Index threads, Attention attention)
    requires std::same_as<T, bfloat16>
      : Engine(threads, Weights::full, attention) {}

  [[nodiscard]] typename Scratch::Frame frame() { return typename Scratch::Frame(arena_); }

  template <class U, Axis... Axes>
  [[nodiscard]] View<U, Axes...> allocate(Axes... axes) {
    return View<U, Axes...>(arena_.template allocate<U>(checked_size("activation", axes...)),
                            axes...);
  }

  template <Axis... Axes>
  [[nodiscard]] Kept<Axes...> keep(Axes... axes) {
    return Kept<Axes...>(device_, axes...);
  }

  template <Axis Out, Axis In>
  [[nodiscard]] Matrix<Out, In> matrix(const StoredTensor& stored, Out out, In in) {
    const Index count = checked_multiply(out.size, in.size, "weight");
    // Few outputs are no big matrix: the mask classifier keeps the engine's type.
    const Weights weights = out.size < 16 ? Weights::full : weights_;
    Matrix<Out, In> kept;
    with_kept<T>(weights, [&]<class W>() {
      const Index bytes = checked_multiply(count, static_cast<Index>(sizeof(W)), "weight");
      kept = {together_.numbers(device_, bytes, in.size * size_of<W>), out, in, weights, {}};
      if constexpr (Code<W>) {
        kept.scales = together_.scales(device_, out.size * size_of<float>, size_of<float>);
        send_codes<W>(kept.bytes, kept.scales, stored, out.size, in.size);
      } else {
        send_stored(kept.bytes.template as<T>(), stored, count);
      }
    });
    return kept;
  }

  /// stamp::bind says whose weights come next.
  void binding(std::string_view leaf) {
    weights_ = weights_for(leaf, wanted_);
    together_.next_leaf();
  }
  /// And which of them multiply one input: with more than a few rows they are one product.
  void binding_together(Index leaves, Index out) { together_ = {leaves, out}; }

  template <Axis Rows, Axis Width>
  [[nodiscard]] Table<Rows, Width> table(const StoredTensor& stored, Rows rows, Width width) {
    return {stored, rows, width};
  }

  template <Axis A>
  [[nodiscard]] Vector<A> vector(const StoredTensor& stored, A axis) {
    const Index bytes = Vector<A>::bytes_of(axis);
    Vector<A> kept(together_.biases(device_, bytes, size_of<T>), axis);
    send_stored(kept.view().data(), stored, axis.size);
    return kept;
  }

  /// Host numbers into a dense view, rounded to its type. The numbers are read before it returns.
  template <class To, class From, Axis... Axes>
  void upload(View<To, Axes...> view, std::span<const From> numbers) {
    check_count("upload", view.size(), numbers.size());
    check_dense("upload", view);
    device_->upload(view.data(), view.size() * size_of<To>,
                    [&](std::byte* chunk, Index begin, Index count) {
                      auto* const to = reinterpret_cast<To*>(chunk);
                      const From* const from = numbers.data() + begin / size_of<To>;
                      for (Index at = 0; at < count / size_of<To>; ++at) {
                        to[at] = static_cast<To>(from[at]);
                      }
                    });
  }

  /// A dense view into host numbers; waits for the work before it.
  template <class From, Axis... Axes>
  void download(std::span<float> numbers, View<From, Axes...> view) {
    check_count("download", view.size(), numbers.size());
    check_dense("download", view);
    device_->download(view.data(), view.size() * size_of<From>,
                      [&](const std::byte* chunk, Index begin, Index count) {
                        const auto* const from = reinterpret_cast<const From*>(chunk);
                        float* const to = numbers.data() + begin / size_of<From>;
                        for (Index at = 0; at < count / size_of<From>; ++at) {
                          to[at] = static_cast<float>(from[at]);
                        }
                      });
  }

  using Recordings = cuda::Recordings;
  /// Lengths of a dialogue share launches up to the next multiple of key_step.
  [[nodiscard]] static Index reach(Index keys) { return reach_of(keys); }
  /// Runs a step (ops/replay.hpp); from the third one of a shape on it is one launch.
  template <class Body>
  void replay(Recordings& recordings, const StepShape& shape, const Body& body) {
    if (!records_) return body();
    recordings.run(*device_, shape, body);
  }
  /// Whether steps are recorded; they are, unless somebody wants to compare.
  void record_steps(bool on) { records_ = on; }

  /// Whether a kernel may begin while the one before it ends; where the device can, it does.
  void overlap_kernels(bool on) { device_->overlap_kernels(on); }

  [[nodiscard]] Device& device() { return *device_; }
  [[nodiscard]] const Scratch& arena() const { return arena_; }
  /// The matrix kernel that attention takes where it can run a call.
  [[nodiscard]] Attention attention() const { return attention_; }

 private:
  template <class U>
  static constexpr Index size_of = static_cast<Index>(sizeof(U));

  /// Stored numbers of any float type, rounded to T on their way through pinned memory.
  void send_stored(T* to, const StoredTensor& stored, Index count) {
    constexpr auto same = std::same_as<T, float> ? ElementType::float32 : ElementType::bfloat16;
    std::vector<float> wide;
    if (stored.type != same) widen_stored<float>(stored, 0, 0, nullptr);  // is it a float type?
    device_->upload(to, count * size_of<T>, [&](std::byte* chunk, Index begin, Index bytes) {
      if (stored.type == same) {
        std::memcpy(chunk, stored.data + begin, static_cast<std::size_t>(bytes));
        return;
      }
      wide.resize(static_cast<std::size_t>(bytes / size_of<T>));
      widen_stored(stored, begin / size_of<T>, bytes / size_of<T>, wide.data());
      auto* const narrowed = reinterpret_cast<T*>(chunk);
      for (std::size_t at = 0; at < wide.size(); ++at) narrowed[at] = narrow<T>(wide[at]);
    });
  }

  /// A stored matrix as codes, rounded on their way through pinned memory.
  template <Code C>
  void send_codes(const Buffer& codes, const Buffer& scales, const StoredTensor& stored, Index out,
                  Index in) {
    Quantizer<C> quantizer(stored, out, in);
    device_->upload(codes.as<C>(), out * in, std::ref(quantizer));
    const float* const from = quantizer.scales().data();
    device_->upload(
        scales.as<float>(), out * size_of<float>, [&](std::byte* chunk, Index begin, Index count) {
          std::memcpy(chunk, from + begin / size_of<float>, static_cast<std::size_t>(count));
        });
  }

  template <class U, Axis... Axes>
  static void check_dense(const char* where, const View<U, Axes...>& view) {
    if (!view.dense()) {
      fail(Fault::usage, std::string(where) + ": expected a dense view, found " + describe(view) +
                             " with rows " + std::to_string(view.stride()) + " apart");
    }
  }

  Attention attention_ = Attention::mma;
  std::shared_ptr<Device> device_;
  Scratch arena_;
  Weights wanted_ = Weights::full;
  Weights weights_ = Weights::full;  ///< of the leaf that is being bound
  Together together_;
  bool records_ = true;
};

namespace detail {

/// Bytes of the device as they are, to places on the host one after another; one copy, and waits.
inline void download_pieces(Device& device, const void* from,
                            std::initializer_list<std::span<std::byte>> pieces) {
  std::size_t all = 0;
  for (const std::span<std::byte> piece : pieces) all += piece.size();
  device.download(from, static_cast<Index>(all),
                  [&](const std::byte* chunk, Index begin, Index count) {
                    Index first = 0;  // of a piece, among all bytes
                    for (const std::span<std::byte> piece : pieces) {
                      const Index end = first + std::ssize(piece);
                      const Index from_here = std::max(first, begin);
                      const Index to_here = std::min(end, begin + count);
                      if (from_here < to_here) {
                        std::memcpy(piece.data() + (from_here - first), chunk + (from_here - begin),
                                    static_cast<std::size_t>(to_here - from_here));
                      }
                      first = end;
                    }
                  });
}
/// The same of one place.
template <class U>
void download_bytes(Device& device, std::span<U> to, const U* from) {
  download_pieces(device, from, {std::as_writable_bytes(to)});
}

}  // namespace detail

}  // namespace stamp::cuda
