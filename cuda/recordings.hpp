// SPDX-License-Identifier: Apache-2.0
// Steps whose launches the driver keeps as CUDA graphs: one launch of a graph in place of hundreds
// of kernels. Plain host logic around Device::record.
#pragma once

#include <map>
#include <stamp/cuda/device.hpp>
#include <stamp/ops/replay.hpp>

namespace stamp::cuda {

/// The first step of a shape runs plainly: it chooses algorithms, loads code and grows scratch
/// memory, none of which a recording may do. The second one is recorded, and replayed from then on.
/// A step that cannot be recorded runs plainly for ever. One engine and its thread only.
class Recordings {
 public:
  void clear() { steps_.clear(); }

  template <class Body>
  void run(Device& device, const StepShape& shape, const Body& body) {
    Step& step = steps_[shape];
    if (step.met && !step.refused && !step.graph) {
      step.graph = device.record(body);
      step.refused = !step.graph;
    }
    if (step.graph) return device.launch(step.graph);
    body();
    step.met = true;
  }

 private:
  struct Step {
    bool met = false;
    bool refused = false;
    Graph graph;
  };
  std::map<StepShape, Step> steps_;
};

}  // namespace stamp::cuda
