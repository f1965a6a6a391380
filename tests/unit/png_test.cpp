// SPDX-License-Identifier: Apache-2.0
// PNG bytes that we write are read back as they were; files that break PNG's rules are refused.
#include <image/goldens.hpp>
#include <stamp/image/png_check.hpp>
#include <stamp/image/write.hpp>

namespace {

using namespace stamp;
using test::FileBytes;

FileBytes plain(const std::vector<std::byte>& bytes) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return {first, first + bytes.size()};
}

TEST(EncodePng, PicturesComeBackBitForBit) {
  for (const char* name :
       {"rgb_1x1.png", "rgb_odd.png", "noise.png", "rgb_400x2.png", "rgb_1x150.png"}) {
    const Image image = test::golden_image(name);
    const auto bytes = encode_png(image);
    EXPECT_EQ(read_image(plain(bytes)).pixels, image.pixels) << name;
    EXPECT_EQ(bytes, encode_png(image)) << "the same picture gave other bytes";
  }
}

TEST(EncodePng, MasksAreGreyAndSmall) {
  Bitmap mask{.width = 640, .height = 480};
  mask.cells.resize(640 * 480);
  for (std::size_t i = 0; i < mask.cells.size(); ++i)
    mask.cells[i] = i / 640 % 97 > 40 && i % 640 > 99;
  const FileBytes bytes = plain(encode_png(mask));
  EXPECT_LT(bytes.size(), 20'000U);
  EXPECT_EQ(detail::png_header(bytes).colour, detail::PngColour::grey);
  EXPECT_EQ(detail::png_header(bytes).depth, 8);
  const Image image = read_image(bytes);
  for (std::size_t i = 0; i < mask.cells.size(); ++i) {
    ASSERT_EQ(image.pixels[3 * i], mask.cells[i] != 0 ? 255 : 0);
  }
}

TEST(EncodePng, RefusesSizesThatDoNotFit) {
  EXPECT_THROW((void)encode_png(Image{.width = 2, .height = 2, .pixels = FileBytes(11)}), Error);
  EXPECT_THROW((void)encode_png(Bitmap{}), Error);
}

/// A chunk with a right checksum.
FileBytes chunk(std::string_view type, const FileBytes& data) {
  FileBytes bytes;
  const auto append_u32 = [&](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  };
  append_u32(static_cast<std::uint32_t>(data.size()));
  bytes.insert(bytes.end(), type.begin(), type.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  append_u32(detail::crc32(std::span(bytes).subspan(4)));
  return bytes;
}

constexpr std::size_t after_header = 8 + 25;

/// rgb_odd.png with `part` put in behind its header.
std::string error_with(const FileBytes& part, const std::string& name = "rgb_odd.png") {
  FileBytes file = test::golden_bytes(name);
  file.insert(file.begin() + after_header, part.begin(), part.end());
  return test::error_of([&] { (void)read_image(file); });
}

TEST(CheckPng, ChunksThatBreakTheRules) {
  EXPECT_EQ(error_with(chunk("tEXt", {'a', 0, 'b'})), "");
  EXPECT_EQ(error_with(chunk("acTL", FileBytes(8))),
            "3 format APNG not supported, use JPEG or PNG");
  EXPECT_NE(error_with(chunk("QUIT", {})).find("unknown critical chunk QUIT"), std::string::npos);
  EXPECT_NE(error_with(chunk("CgBI", FileBytes(4))).find("unknown critical chunk CgBI"),
            std::string::npos);
  EXPECT_NE(error_with(chunk("IHDR", FileBytes(13))).find("unknown critical chunk"),
            std::string::npos);
  EXPECT_NE(error_with(chunk("PLTE", FileBytes(4))).find("PLTE chunk of 4 bytes"),
            std::string::npos);
  EXPECT_NE(error_with(chunk("PLTE", FileBytes(771))).find("PLTE chunk of 771"), std::string::npos);
  EXPECT_NE(error_with({0xFF, 0xFF, 0xFF, 0xFF, 't', 'E', 'X', 't'}).find("truncated PNG"),
            std::string::npos);
  EXPECT_NE(error_with({0, 0, 0, 0, '1', '2', '3', '4'}).find("no chunk at byte 33"),
            std::string::npos);
  EXPECT_NE(error_with(chunk("IEND", {})).find("no image data"), std::string::npos);
  const FileBytes split = [] {
    FileBytes bytes = chunk("IDAT", {0x78});
    const FileBytes text = chunk("tEXt", {'a', 0});
    bytes.insert(bytes.end(), text.begin(), text.end());
    return bytes;
  }();
  EXPECT_NE(error_with(split).find("not consecutive"), std::string::npos);
}

TEST(CheckPng, DataThatEndEarlyNameTheirRow) {
  FileBytes file = test::golden_bytes("rgb_odd.png");  // 61 x 47; 30 rows' worth of stored zeros
  file.resize(after_header);
  const std::size_t stored = 30 * (61 * 3 + 1);
  FileBytes data = {
      0x78, 0x01, 0x01, stored & 0xFF, stored >> 8, ~stored & 0xFF, ~stored >> 8 & 0xFF};
  data.resize(data.size() + stored);
  for (const FileBytes& part : {chunk("IDAT", data), chunk("IEND", {})}) {
    file.insert(file.end(), part.begin(), part.end());
  }
  EXPECT_NE(test::error_of([&] { (void)read_image(file); }).find("truncated at row 30"),
            std::string::npos);
}

}  // namespace
