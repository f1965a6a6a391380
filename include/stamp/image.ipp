// SPDX-License-Identifier: Apache-2.0
// Every definition of <stamp/image/…>: pictures: reading, resizing, drawing, writing.
#pragma once

#include <stamp/image/bmp.ipp>
#include <stamp/image/byte_reader.ipp>
#include <stamp/image/cell_cover.ipp>
#include <stamp/image/distance.ipp>
#include <stamp/image/draw.ipp>
#include <stamp/image/exif.ipp>
#include <stamp/image/file_bytes.ipp>
#include <stamp/image/format.ipp>
#include <stamp/image/jpeg_check.ipp>
#include <stamp/image/jpeg_stb.ipp>
#include <stamp/image/jpeg_turbo.ipp>
#include <stamp/image/limits.ipp>
#include <stamp/image/overlap.ipp>
#include <stamp/image/overlay.ipp>
#include <stamp/image/patches.ipp>
#include <stamp/image/png_check.ipp>
#include <stamp/image/png_read.ipp>
#include <stamp/image/pnm.ipp>
#include <stamp/image/read.ipp>
#include <stamp/image/resize.ipp>
#include <stamp/image/resize/filter.ipp>
#include <stamp/image/resize/pillow.ipp>
#include <stamp/image/resize/torch_f32.ipp>
#include <stamp/image/resize/torch_u8.ipp>
#include <stamp/image/run_length.ipp>
#include <stamp/image/smart_resize.ipp>
#include <stamp/image/upsample.ipp>
#include <stamp/image/write.ipp>
