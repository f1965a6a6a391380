// SPDX-License-Identifier: Apache-2.0
// Products by the library as matmul.cpp asks for them: what is asked, how often, which candidate is
// kept, for how many engines, and the numbers. Choices are a process's, so each test has shapes of
// its own.
#include <gtest/gtest.h>

#include <barrier>
#include <cuda/runtime/host_products.hpp>
#include <cuda/runtime/host_runtime.hpp>
#include <map>
#include <set>
#include <stamp/cuda/chosen_algorithm.hpp>
#include <stamp/cuda/device.hpp>
#include <stamp/cuda/product.hpp>
#include <thread>
#include <vector>

namespace stamp::cuda {
namespace {

using test::host_products;
using test::host_runtime;

class CudaLibraryProducts : public testing::Test {
 protected:
  void SetUp() override {
    reset(host_runtime());
    host_products() = {};
  }
  void TearDown() override {
    for (const auto& [kind, count] : host_runtime().live) EXPECT_EQ(count, 0) << kind;
  }
};

/// Operands in device memory; numbers are small halves, which bfloat16 holds and sums keep exactly.
template <class T>
struct Operands {
  Operands(Device& on, Index rows, Index out, Index in, Index apart = 0)
      : device(on),
        y{numbers(rows * (out + apart)), rows, out, out + apart},
        x{numbers(rows * (in + apart)), rows, in, in + apart},
        w(numbers(out * in)),
        bias(numbers(out)),
        other_bias(numbers(out)) {}

  T* numbers(Index count) {
    auto* const made =
        reinterpret_cast<T*>(device.allocate(static_cast<std::size_t>(count) * sizeof(T)));
    for (Index at = 0; at < count; ++at) made[at] = static_cast<T>(0.5F * float((++drawn * 7) % 9));
    return made;
  }
  [[nodiscard]] Product<T> product(const T* with_bias = nullptr, Into into = Into::store) const {
    return {y, x, w, with_bias, into};
  }

  /// Multiplies and compares with the sums that y must have then.
  void expect_product(const Product<T>& p) {
    device.wait();
    std::vector<float> expected;
    for (Index row = 0; row < y.rows; ++row) {
      for (Index out = 0; out < y.columns; ++out) {
        float sum = p.bias == nullptr ? 0.0F : static_cast<float>(p.bias[out]);
        if (p.into == Into::add) sum += static_cast<float>(y.data[row * y.stride + out]);
        for (Index in = 0; in < x.columns; ++in) {
          sum += static_cast<float>(x.data[row * x.stride + in]) *
                 static_cast<float>(w[out * x.columns + in]);
        }
        expected.push_back(static_cast<float>(static_cast<T>(sum)));
      }
    }
    multiply(device, p);
    device.wait();
    std::vector<float> found;
    for (Index row = 0; row < y.rows; ++row) {
      for (Index out = 0; out < y.columns; ++out) {
        found.push_back(static_cast<float>(y.data[row * y.stride + out]));
      }
    }
    EXPECT_EQ(found, expected);
  }

  Device& device;
  Index drawn = 0;
  Erased<T> y;
  Erased<const T> x;
  const T *w, *bias, *other_bias;
};

template <class T>
void expect_sums(Index rows, Index apart) {
  Device device;
  Operands<T> operands(device, rows, 17, 11, apart);
  for (const Into into : {Into::store, Into::add}) {
    for (const T* bias : {static_cast<const T*>(nullptr), operands.bias}) {
      for (int again = 0; again < 2; ++again) operands.expect_product(operands.product(bias, into));
    }
  }
  EXPECT_EQ(host_products().searched.size(), 4U);
  for (const auto& call : host_products().multiplied) {
    EXPECT_EQ(call.compute, CUBLAS_COMPUTE_32F) << "no TF32, no sums in 16 bits";
    EXPECT_EQ(call.scale, CUDA_R_32F);
    EXPECT_EQ(call.type, (std::same_as<T, float> ? CUDA_R_32F : CUDA_R_16BF));
  }
}

TEST_F(CudaLibraryProducts, AreSumsInFloatWithBiasAndWhatWasThere) {
  expect_sums<float>(6, 0);
  host_products() = {};
  expect_sums<float>(6, 5);
  host_products() = {};
  expect_sums<bfloat16>(6, 0);
  host_products() = {};
  expect_sums<bfloat16>(6, 5);
}

TEST_F(CudaLibraryProducts, AskForSumsInAFixedOrderAndForTheAlignmentThatThereIs) {
  Device device;
  Operands<bfloat16> operands(device, 7, 16, 8);
  auto product = operands.product();
  product.x.data += 8;  // 16 bytes
  product.x.rows = product.y.rows = 6;
  multiply(device, product);
  device.wait();
  ASSERT_EQ(host_products().searched.size(), 1U);
  auto preference = host_products().searched[0].preference;
  EXPECT_EQ(preference[CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK],
            static_cast<std::uint64_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  EXPECT_EQ(preference[CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES], std::uint64_t{32} << 20U);
  EXPECT_EQ(preference[CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], 256U);
  EXPECT_EQ(preference[CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES], 16U);
  EXPECT_EQ(preference[CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES], 256U);
  EXPECT_EQ(preference[CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES], 256U);
}

TEST_F(CudaLibraryProducts, KeepTheQuickestOfTheCandidatesAndSearchOnce) {
  host_products().candidates = {{3},
                                {5, CUBLAS_STATUS_NOT_SUPPORTED},
                                {2},
                                {1, CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_NOT_SUPPORTED},
                                {1, CUBLAS_STATUS_INVALID_VALUE},
                                {4}};
  Device device;
  Operands<float> operands(device, 13, 16, 8);
  for (int again = 0; again < 5; ++again) operands.expect_product(operands.product());
  EXPECT_EQ(host_products().searched.size(), 1U);
  std::vector<int> times(6);
  std::vector<int> on_y(6);
  for (const auto& call : host_products().multiplied) {
    ++(call.y == operands.y.data ? on_y : times)[call.candidate];
  }
  EXPECT_EQ(times, (std::vector<int>{14, 1, 14, 0, 1, 14}))
      << "twice one that warms up and six that count";
  EXPECT_EQ(on_y, (std::vector<int>{0, 0, 5, 0, 0, 0}));
}

TEST_F(CudaLibraryProducts, ASumIsNotAddedForCandidates) {
  Device device;
  Operands<float> operands(device, 14, 16, 8);
  operands.y.data += 4;  // 16 bytes
  operands.y.rows = operands.x.rows = 13;
  operands.expect_product(operands.product(operands.bias, Into::add));
  EXPECT_GT(host_products().multiplied.size(), 4U);
  for (const auto& call : host_products().multiplied) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(call.y) % 32, 16U) << "as aligned as y, and no more";
  }
  EXPECT_EQ(host_products().multiplied.back().beta, 1.0F);
}

TEST_F(CudaLibraryProducts, TakeTheBiasOfEachCall) {
  Device device;
  Operands<float> operands(device, 15, 16, 8);
  operands.expect_product(operands.product(operands.bias));
  operands.expect_product(operands.product(operands.other_bias));
  EXPECT_EQ(host_products().searched.size(), 1U);
  EXPECT_EQ(host_products().multiplied.back().bias, operands.other_bias);
  const float* const odd = operands.numbers(20) + 1;
  operands.expect_product(operands.product(odd));
  EXPECT_EQ(host_products().searched.size(), 2U) << "a bias that is less aligned is another shape";
}

/// How often each number of parts was timed, and the one that is kept.
struct Parts {
  std::map<std::int32_t, int> timed;
  std::int32_t kept = 0;
};
Parts parts_of(const Operands<float>& operands) {
  Parts parts;
  for (const auto& call : host_products().multiplied) {
    if (call.y == operands.y.data) {
      parts.kept = call.splits;
    } else {
      ++parts.timed[call.splits];
    }
  }
  return parts;
}

TEST_F(CudaLibraryProducts, AreSplitWhereTheyLeaveMultiprocessorsIdleAndThatIsQuicker) {
  host_products().candidates = {{3}, {2, {}, {}, {{2, 1.5F}, {4, 1.0F}}}, {4, {}, {}, {{2, 0.1F}}}};
  Device device;
  Operands<float> operands(device, 30, 16, 8);
  for (int again = 0; again < 3; ++again) operands.expect_product(operands.product());
  const Parts parts = parts_of(operands);
  EXPECT_EQ(parts.kept, 4);
  EXPECT_EQ(parts.timed, (std::map<std::int32_t, int>{{1, 4 * 14}, {2, 14}, {4, 14}}))
      << "three candidates, then the best of them beside its split versions";
  EXPECT_EQ(host_products().multiplied.back().candidate, 1U) << "only the best is split";
  EXPECT_EQ(host_products().reductions,
            (std::set<std::uint32_t>{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}))
      << "sums in a fixed order";
  EXPECT_EQ(host_products().searched.size(), 1U);
}

TEST_F(CudaLibraryProducts, StayWholeWhereThatIsQuickerOrTheLibrarySaysSo) {
  Device device;
  Index rows = 31;
  const auto expect = [&](const test::HostProducts::Candidate& candidate, std::int32_t kept,
                          const std::map<std::int32_t, int>& timed) {
    host_products() = {};
    host_products().candidates = {candidate};
    Operands<float> operands(device, rows++, 16, 8);
    operands.expect_product(operands.product());
    const Parts parts = parts_of(operands);
    EXPECT_EQ(parts.kept, kept);
    EXPECT_EQ(parts.timed, timed);
  };
  expect({2, {}, {}, {{2, 3.0F}, {4, 2.5F}}}, 1, {{1, 28}, {2, 14}, {4, 14}});
  expect({2, {}, {}, {}}, 1, {{1, 14}});
  expect({2, {}, {}, {{4, 1.0F}}}, 4, {{1, 28}, {4, 14}});
  expect({2, {}, {}, {{2, 1.0F}}, std::size_t{32} << 20U}, 2, {{1, 28}, {2, 14}});
  expect({2, {}, {}, {{2, 1.0F}}, (std::size_t{32} << 20U) + 1}, 1, {{1, 14}});
  // What the search names split already is not tried so again.
  expect({2, {}, {}, {{2, 2.0F}, {4, 3.0F}}, 0, 0, 0, 2}, 2, {{2, 28}, {4, 14}});
}

/// 132 multiprocessors and 128×128 outputs a block.
TEST_F(CudaLibraryProducts, AreNotSplitWhereTheyKeepADeviceBusy) {
  Device device;
  for (const auto& [out, splits] : {std::pair{Index{66 * 128}, 1}, {Index{66 * 128 - 128}, 2}}) {
    host_products() = {};
    host_products().candidates = {{2, {}, {}, {{2, 1.0F}}}};
    Operands<float> operands(device, 129, out, 1);
    multiply(device, operands.product());
    device.wait();
    EXPECT_EQ(host_products().multiplied.back().splits, splits) << out;
  }
}

TEST_F(CudaLibraryProducts, TellWhichAlgorithmWasChosen) {
  host_products().candidates = {{3, {}, {}, {}, 0, 7, 8, 1},
                                {1, {}, {}, {{2, 0.5F}}, 0, 20, 15, 1}};
  Device device;
  Operands<float> operands(device, 40, 16, 8);
  EXPECT_EQ(chosen_algorithm(device, operands.product()), std::nullopt) << "nothing was multiplied";
  operands.expect_product(operands.product());
  EXPECT_EQ(chosen_algorithm(device, operands.product()),
            (ChosenAlgorithm{101, 20, 15, 2, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}));
  EXPECT_EQ(chosen_algorithm(device, operands.product(operands.bias)), std::nullopt)
      << "another shape";
  host_products().candidates = {{1, {}, {}, {}, 0, 5, 6, 1}};
  operands.expect_product(operands.product(operands.bias));
  EXPECT_EQ(chosen_algorithm(device, operands.product(operands.bias)),
            (ChosenAlgorithm{100, 5, 6, 1, CUBLASLT_REDUCTION_SCHEME_NONE}));
  Operands<float> few(device, 1, 16, 8);
  few.expect_product(few.product());
  EXPECT_EQ(chosen_algorithm(device, few.product()), std::nullopt) << "a kernel of our own";
  host_products().candidates = {{1, CUBLAS_STATUS_NOT_SUPPORTED}};
  Operands<float> refused(device, 41, 16, 8);
  refused.expect_product(refused.product());
  EXPECT_EQ(chosen_algorithm(device, refused.product()), std::nullopt);
}

TEST_F(CudaLibraryProducts, AreTheKernelsWhereNoCandidateRuns) {
  Device device;
  host_products().candidates = {{1, CUBLAS_STATUS_NOT_SUPPORTED}};
  Operands<float> operands(device, 16, 16, 8);
  for (int again = 0; again < 3; ++again) operands.expect_product(operands.product());
  EXPECT_EQ(host_products().multiplied.size(), 1U) << "tried once";
  host_products().searches = CUBLAS_STATUS_NOT_SUPPORTED;
  Operands<float> others(device, 17, 16, 8);
  for (int again = 0; again < 3; ++again) others.expect_product(others.product());
  EXPECT_EQ(host_products().searched.size(), 2U);
}

TEST_F(CudaLibraryProducts, OutOfMemoryIsTheSentenceOfTheDevice) {
  host_runtime().memory = std::size_t{64} << 20U;
  Device device;
  Operands<float> operands(device, 18, 16, 8);
  const auto expect_sentence = [&](const std::string& free) {
    try {
      multiply(device, operands.product());
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::resource);
      EXPECT_EQ(error.what(),
                "cuda: out of device memory: needed memory for the product library, free are " +
                    free + " MiB of 64.0 MiB");
    }
  };
  host_products().creates = CUBLAS_STATUS_ALLOC_FAILED;
  for (int again = 0; again < 3; ++again) expect_sentence("63.9");
  host_products().creates = CUBLAS_STATUS_SUCCESS;
  host_products().searches = CUBLAS_STATUS_ALLOC_FAILED;
  expect_sentence("31.9");
  host_products().searches = CUBLAS_STATUS_SUCCESS;
  host_products().candidates = {{1, CUBLAS_STATUS_ALLOC_FAILED}, {1}};
  for (int again = 0; again < 3; ++again) expect_sentence("31.9");
  host_products().candidates = {{1}};
  operands.expect_product(operands.product());
  host_products().candidates = {{1, CUBLAS_STATUS_EXECUTION_FAILED}};
  EXPECT_THROW(multiply(device, operands.product()), Error);
  EXPECT_TRUE(alive()) << "only the call has failed";
}

TEST_F(CudaLibraryProducts, OfAllEnginesOnADeviceHaveOneSearch) {
  Device first;
  Device second;
  Device elsewhere(1);
  Operands<float> operands(first, 19, 16, 8);
  operands.expect_product(operands.product());
  host_products().candidates = {{1}, {3}, {2}};  // another search would end otherwise
  host_products().multiplied.clear();
  Operands<float> others(second, 19, 16, 8);
  others.expect_product(others.product());
  ASSERT_EQ(host_products().multiplied.size(), 1U) << "nothing is timed";
  EXPECT_EQ(host_products().multiplied[0].candidate, 1U);
  EXPECT_EQ(host_products().searched.size(), 1U);
  Operands<float> there(elsewhere, 19, 16, 8);
  there.expect_product(there.product());
  EXPECT_EQ(host_products().searched.size(), 2U) << "another device may have another choice";
  EXPECT_EQ(host_products().multiplied.back().candidate, 0U);
}

TEST_F(CudaLibraryProducts, OfTwoThreadsHaveOneSearch) {
  host_products().search_takes = std::chrono::milliseconds(50);
  std::barrier together(2);
  const auto work = [&] {
    Device device;
    Operands<float> operands(device, 20, 16, 8);
    together.arrive_and_wait();
    for (int again = 0; again < 20; ++again) operands.expect_product(operands.product());
  };
  std::thread another(work);
  work();
  another.join();
  EXPECT_EQ(host_products().searched.size(), 1U);
}

TEST_F(CudaLibraryProducts, AreRecordedOnceTheyHaveRun) {
  Device device;
  Operands<float> operands(device, 21, 16, 8);
  const auto add = [&] { multiply(device, operands.product(nullptr, Into::add)); };
  EXPECT_EQ(device.record(add), nullptr) << "nothing is timed in a recording";
  EXPECT_TRUE(host_products().searched.empty());
  std::fill_n(operands.y.data, 21 * 16, 0.0F);
  add();
  const Graph graph = device.record(add);
  device.launch(graph);
  device.launch(graph);
  device.wait();
  const float thrice = operands.y.data[0];
  operands.expect_product(operands.product());
  EXPECT_EQ(thrice, 3 * operands.y.data[0]);
}

}  // namespace
}  // namespace stamp::cuda
