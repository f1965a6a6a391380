// SPDX-License-Identifier: Apache-2.0
// A tap that keeps what it hears, and one sentence when a number is not finite.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <span>
#include <stamp/observe/tap.hpp>
#include <string>
#include <vector>

namespace stamp {

/// One named activation in host memory.
template <std::floating_point Number>
struct Recorded {
  std::vector<Index> shape;
  std::vector<Number> values;
};

/// All activations of a run by name.
template <std::floating_point Number>
using Recording = std::map<std::string, Recorded<Number>, std::less<>>;

/// Checks every activation for NaN and infinity; keeps it when there is a recording to keep it in.
/// Error{failure}: "non-finite after language.layers.3: 7 values, first at index 12".
template <std::floating_point Number>
class Recorder {
 public:
  Recorder() = default;
  explicit Recorder(Recording<Number>* recording) : recording_(recording) {}

  template <class B, class T, Axis... Axes>
  void record(B& engine, std::string_view name, View<T, Axes...> view) const {
    if (!listens_) return;
    std::vector<Number> values(static_cast<std::size_t>(view.size()));
    engine.download(std::span<Number>(values), view);
    const std::string full = prefix_ + std::string(name);
    check_finite(full, values);
    if (recording_ != nullptr) {
      (*recording_)[full] = {{view.extents().begin(), view.extents().end()}, std::move(values)};
    }
  }
  void record(std::string_view name, std::initializer_list<Index> shape,
              std::span<const Number> values) const {
    if (!listens_) return;
    const std::string full = prefix_ + std::string(name);
    check_finite(full, values);
    if (recording_ != nullptr) {
      (*recording_)[full] = {{shape.begin(), shape.end()}, {values.begin(), values.end()}};
    }
  }
  template <class B, class V>
  void record(B& engine, std::string_view name, Index index, V view) const {
    if (!listens_) return;
    record(engine, std::string(name) + "." + std::to_string(index), view);
  }
  /// From now on it hears nothing, or everything again; as it is made it listens. Listening costs a
  /// copy of every activation to the host.
  void listen(bool on) { listens_ = on; }
  [[nodiscard]] bool listens() const { return listens_; }
  [[nodiscard]] Recorder within(const std::string& prefix) const {
    Recorder inner = *this;
    if (listens_) inner.prefix_ += prefix + ".";
    return inner;
  }

 private:
  static void check_finite(const std::string& name, std::span<const Number> values) {
    std::size_t bad = 0;
    std::size_t first = 0;
    for (std::size_t at = values.size(); at-- > 0;) {
      if (!std::isfinite(values[at])) {
        ++bad;
        first = at;
      }
    }
    if (bad != 0) {
      fail(Fault::failure, "non-finite after " + name + ": " + std::to_string(bad) + " of " +
                               std::to_string(values.size()) + " values, first at index " +
                               std::to_string(first));
    }
  }

  bool listens_ = true;
  std::string prefix_;
  Recording<Number>* recording_ = nullptr;
};

}  // namespace stamp
