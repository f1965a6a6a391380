// SPDX-License-Identifier: Apache-2.0
// A backend of your own: an engine that does one operation differently and takes the others from
// the reference. This one counts the multiplications of every matrix product on their way.
#include <cstdio>
#include <stamp/reference.hpp>

namespace counting {

struct Engine : stamp::reference::Engine<float> {
  using stamp::reference::Engine<float>::Engine;
  double multiplications = 0;
};
using Reference = stamp::reference::Engine<float>;

/// Overloads of an operation stand beside the engine; argument-dependent lookup finds them, and
/// they fit better than the reference's, which they end in.
template <stamp::Axis R, stamp::Axis O, stamp::Axis I, class... Bias>
void matmul(Engine& engine, stamp::View<float, R, O> y, stamp::In<float, R, I> x,
            const stamp::reference::Matrix<O, I>& w, const Bias&... bias) {
  engine.multiplications += static_cast<double>(y.size()) * static_cast<double>(w.in.size);
  stamp::reference::matmul(static_cast<Reference&>(engine), y, x, w, bias...);
}

static_assert(stamp::Backend<Engine>);

}  // namespace counting

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: your_own_backend CHECKPOINT IMAGE PROMPT\n");
    return 2;
  }
  try {
    auto model = stamp::load<counting::Engine>(argv[1]);
    double before = 0;
    stamp::SegmentOptions options;
    options.progress = [&](const stamp::Progress& progress) {
      if (progress.done != progress.total) return;  // a stage has ended
      const double sum = model.engine().multiplications;
      std::printf("%-8s %10.1f million multiplications\n",
                  std::string(stamp::name_of(progress.stage)).c_str(), (sum - before) / 1e6);
      before = sum;
    };
    const auto answer = stamp::segment(model, stamp::read_image(argv[2]), argv[3], options);
    std::printf("%s\n", answer.text.c_str());
    return 0;
  } catch (const stamp::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.fault());
  }
}
