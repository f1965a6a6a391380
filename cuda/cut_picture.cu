// SPDX-License-Identifier: Apache-2.0
// The launches of pictures' resize and cut.
#include <stamp/cuda/cut_picture.cuh>
#include <stamp/cuda/runtime.cuh>

namespace stamp::cuda::kernel {

namespace {

__global__ void __launch_bounds__(picture_threads)
    across(std::uint8_t* to, const std::uint8_t* from, Index columns, Index outputs,
           ByteFilter filter) {
  DeviceBlock<PictureRegisters> block;
  resize_across_body(block, to, from, columns, outputs, filter);
}

__global__ void __launch_bounds__(picture_threads)
    down(std::uint8_t* to, const std::uint8_t* from, Index samples, ByteFilter filter) {
  DeviceBlock<PictureRegisters> block;
  resize_down_body(block, to, from, samples, filter);
}

template <Element T>
__global__ void __launch_bounds__(picture_threads)
    cut(Erased<T> y, const std::uint8_t* pixels, const T* levels, PatchOrder order) {
  DeviceBlock<PictureRegisters> block;
  cut_patches_body(block, y, pixels, levels, order);
}

}  // namespace

void resize_across(Stream stream, std::uint8_t* to, const std::uint8_t* from, Index rows,
                   Index columns, Index outputs, const ByteFilter& filter) {
  launch({stream, blocks(rows * picture_chunks(outputs * 3)), picture_threads}, across, to, from,
         columns, outputs, filter);
}

void resize_down(Stream stream, std::uint8_t* to, const std::uint8_t* from, Index samples,
                 Index outputs, const ByteFilter& filter) {
  launch({stream, blocks(outputs * picture_chunks(samples)), picture_threads}, down, to, from,
         samples, filter);
}

template <DeviceElement T>
void cut_patches(Stream stream, Erased<T> y, const std::uint8_t* pixels, const T* levels,
                 const PatchOrder& order) {
  if (y.rows == 0) return;
  launch({stream, blocks(y.rows), picture_threads}, cut<T>, y, pixels, levels, order);
}

template void cut_patches(Stream, Erased<float>, const std::uint8_t*, const float*,
                          const PatchOrder&);
template void cut_patches(Stream, Erased<bfloat16>, const std::uint8_t*, const bfloat16*,
                          const PatchOrder&);

}  // namespace stamp::cuda::kernel
