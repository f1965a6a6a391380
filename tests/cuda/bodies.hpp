// SPDX-License-Identifier: Apache-2.0
// Kernel bodies of stamp::cuda walked on the host, behind erased operands: the tests that compare
// them with the reference are compiled without nvcc.
#pragma once

#include <stamp/cuda/attend/kernels.hpp>
#include <stamp/cuda/cut_picture.hpp>
#include <stamp/cuda/mask_head.hpp>
#include <stamp/cuda/norm_matmul.hpp>
#include <stamp/cuda/product.hpp>
#include <stamp/cuda/top_k.hpp>

namespace stamp::test::walked {

template <Element T>
void rms_norm(Erased<T> y, Erased<const T> x, const T* weight, float eps);
template <Element T>
void layer_norm(Erased<T> y, Erased<const T> x, const cuda::LayerNorm<T>& norm);
template <Element T>
void norm_matmul(const cuda::NormMatmul<T>& call);
template <Element T>
void quick_gelu(Erased<T> x);
template <Element T>
void gelu(Erased<T> x);
template <Element T>
void relu(Erased<T> x);
template <Element T>
void swiglu(Erased<T> gate, Erased<const T> up);
template <Element T>
void add(Erased<T> y, Erased<const T> x);
template <Element T>
void sum(Erased<T> z, Erased<const T> y, Erased<const T> x);
template <Element T>
void copy(Erased<T> y, Erased<const T> x);
template <Element T>
void rotate(ErasedHeads<T> x, Erased<const float> cosine, Erased<const float> sine);
template <Element T>
void rotate_and_store(ErasedHeads<T> query, ErasedHeads<T> keys, ErasedHeads<T> values,
                      ErasedHeads<const T> key, ErasedHeads<const T> value,
                      Erased<const float> cosine, Erased<const float> sine,
                      const std::int32_t* first = nullptr);
template <Element T>
void largest_of_part(cuda::Candidate* candidates, Erased<const T> x);
void largest_of_parts(std::int32_t* places, const cuda::Candidate* candidates, Index rows,
                      Index parts);
template <Element T>
void largest_of_groups(const cuda::TopKCall<T>& call);
template <Element T>
void found_of_row(const cuda::TopKCall<T>& call);
template <Element T>
void gather(Erased<T> y, Erased<const T> x, const std::int32_t* which);
void resize_across(std::uint8_t* to, const std::uint8_t* from, Index rows, Index columns,
                   Index outputs, const cuda::ByteFilter& filter);
void resize_down(std::uint8_t* to, const std::uint8_t* from, Index samples, Index outputs,
                 const cuda::ByteFilter& filter);
template <Element T>
void cut_patches(Erased<T> y, const std::uint8_t* pixels, const T* levels,
                 const cuda::PatchOrder& order);
/// The passes that `cut` names, then the cut; filters as in cuda/cut_picture.hpp.
template <Element T>
void cut_picture(Erased<T> y, const std::uint8_t* pixels, const PictureCut& cut);
template <Element T>
void mask_head(const cuda::MaskHead<T>& call, Index window);
template <Element T, class W = T>
void skinny_products(const cuda::JoinedProducts<T, W>& products);
template <Element T>
void plain_product(const cuda::Product<T>& product);
template <Element T, class W = T>
void skinny_swiglu(Erased<T> y, Erased<const T> x, const cuda::GateAndUp<W>& weights,
                   const cuda::InputNorm<T>& norm = {});
template <cuda::Code C>
void widen_rows(Erased<bfloat16> wide, const C* codes, const float* scales);

/// The Hopper kernel, on fibers (fibers/hopper.cpp). std::logic_error where it does what it must
/// not.
void attend_hopper(const cuda::AttendCall<bfloat16>& call, const cuda::AttendParts& parts);

/// The tensor-core kernel, on fibers (fibers/tensor.cpp).
void attend_tensor(const cuda::AttendCall<bfloat16>& call, const cuda::AttendParts& parts);

/// A part's sums, or the whole where there is one part, and the parts put together.
template <Element T>
void attend_tiled(const cuda::AttendCall<T>& call, const cuda::AttendParts& parts);
template <Element T>
void attend_combine(const cuda::AttendCall<T>& call, const cuda::AttendParts& parts);

/// The kernel and, with parts > 1, the combination.
template <Element T>
void attend(const cuda::AttendCall<T>& call, cuda::AttendKernel kernel, Index parts);

}  // namespace stamp::test::walked
