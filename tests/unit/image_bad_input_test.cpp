// SPDX-License-Identifier: Apache-2.0
// Rows 46 to 58 of the project's list of bad inputs that concern pictures: every one gives one
// sentence with the pattern of the list, exit code 3, at once and without much memory.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <image/goldens.hpp>
#include <random>
#include <stamp/image/jpeg_check.hpp>
#include <stamp/image/png_read.hpp>

namespace {

using namespace stamp;
using test::FileBytes;

FileBytes text(std::string_view letters) { return {letters.begin(), letters.end()}; }

void put_big(FileBytes& file, std::size_t at, std::uint32_t value, int bytes) {
  for (int i = bytes; i-- > 0; value >>= 8)
    file[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value);
}

/// A PNG whose header claims this size; its checksum is right.
FileBytes png_of_size(std::uint32_t width, std::uint32_t height) {
  FileBytes file = test::golden_bytes("rgb_odd.png");
  put_big(file, 16, width, 4);
  put_big(file, 20, height, 4);
  put_big(file, 29, detail::crc32(std::span(file).subspan(12, 17)), 4);
  return file;
}

/// Position of the marker 0xFF `code` in a JPEG.
std::size_t marker_at(const FileBytes& file, std::uint8_t code) {
  for (std::size_t i = 0; i + 1 < file.size(); ++i) {
    if (file[i] == 0xFF && file[i + 1] == code) return i;
  }
  ADD_FAILURE() << "no marker";
  return 0;
}

FileBytes jpeg_of_size(std::uint32_t width, std::uint32_t height) {
  FileBytes file = test::golden_bytes("jpeg_420.jpg");
  const std::size_t frame = marker_at(file, 0xC0);
  put_big(file, frame + 5, height, 2);
  put_big(file, frame + 7, width, 2);
  return file;
}

FileBytes cut(const std::string& name, double share) {
  FileBytes file = test::golden_bytes(name);
  file.resize(static_cast<std::size_t>(static_cast<double>(file.size()) * share));
  return file;
}

FileBytes flipped(const std::string& name, std::size_t from_end) {
  FileBytes file = test::golden_bytes(name);
  file[file.size() - from_end] ^= 1;
  return file;
}

/// A progressive JPEG whose first scan is written a thousand times.
FileBytes many_scans() {
  const FileBytes file = test::golden_bytes("jpeg_progressive.jpg");
  const std::size_t first = marker_at(file, 0xDA);
  const std::size_t next = detail::jpeg_scan_end(file, first + 2);
  FileBytes bomb(file.begin(), file.begin() + static_cast<Index>(first));
  for (int i = 0; i < 1000; ++i) {
    bomb.insert(bomb.end(), file.begin() + static_cast<Index>(first),
                file.begin() + static_cast<Index>(next));
  }
  bomb.insert(bomb.end(), file.begin() + static_cast<Index>(next), file.end());
  return bomb;
}

FileBytes little_bmp(std::size_t at, std::uint8_t value) {
  FileBytes file = test::golden_bytes("rgb.bmp");
  file[at] = value;
  return file;
}

/// A JPEG whose first Huffman table promises 16 x 255 codes and has the bytes for them.
FileBytes many_codes() {
  FileBytes file = test::golden_bytes("jpeg_420.jpg");
  FileBytes table(4 + 1 + 16 + 16 * 255, 255);
  table[1] = 0xC4;
  put_big(table, 2, static_cast<std::uint32_t>(table.size() - 2), 2);
  table[4] = 0;
  file.insert(file.begin() + static_cast<Index>(marker_at(file, 0xC4)), table.begin(), table.end());
  return file;
}

struct Row {
  std::string name;
  FileBytes file;
  std::string pattern;
};

std::vector<Row> rows() {
  using namespace std::string_literals;
  return {
      {"46 empty", {}, "not a supported image (found magic none, the file is empty)"},
      {"47 text", text("Hello, I am a text"), "not a supported image (found magic 48 65 6c 6c"},
      {"47 one byte", text("P"), "not a supported image (found magic"},
      {"48 png of 4 bytes", text("\x89PNG"), "truncated PNG: expected its signature of 8 bytes"},
      {"48 jpeg of 2 bytes", text("\xFF\xD8"), "truncated JPEG: expected its signature of 3 bytes"},
      {"48 jpeg cut", cut("jpeg_420.jpg", 0.8), "truncated at row "},
      {"48 jpeg cut progressive", cut("jpeg_progressive.jpg", 0.8), "truncated"},
      {"48 jpeg cut in header", cut("jpeg_420.jpg", 0.1), "truncated JPEG"},
      {"48 png cut", cut("rgb_odd.png", 0.5), "truncated PNG"},
      {"48 bmp cut", cut("rgb.bmp", 0.5), "truncated at row 4 of 11"},
      {"48 bmp header cut", cut("rgb.bmp", 0.05), "truncated BMP header"},
      {"48 pnm cut", cut("rgb.ppm", 0.5), "truncated at row 4 of 9"},
      {"48 text pnm cut", cut("text3.ppm", 0.6), "truncated PNM"},
      {"48 runs cut", cut("runs8.bmp", 0.9), "truncated BMP"},
      {"49 png data", flipped("rgb_odd.png", 30), "CRC"},
      {"49 png checksum", flipped("rgb_odd.png", 13), "CRC"},
      {"50 png", png_of_size(0, 0), "zero size"},
      {"50 png of no width", png_of_size(0, 7), "zero size"},
      {"50 jpeg", jpeg_of_size(75, 0), "zero size"},
      {"50 pnm", text("P6 0 5 255\n"), "zero size"},
      {"50 bmp of negative width", little_bmp(21, 0xFF), "zero size"},
      {"52 jpeg", jpeg_of_size(65535, 65535), "65535 x 65535 = 4294836225 pixels over limit 64M"},
      {"53 png", png_of_size(50000, 50000), "50000 x 50000 = 2500000000 pixels over limit 64M"},
      {"53 png of 2^31", png_of_size(0x7FFFFFFF, 0x7FFFFFFF), "pixels over limit 64M"},
      {"53 pnm", text("P6 9999999999 9999999999 255\n"), "image: element count overflows"},
      {"53 pnm of text", text("P3 8000 8000 255\n1 2 3"),
       "truncated PNM: 5 bytes of text for 192000000"},
      {"54 png 1 x 20000", png_of_size(1, 20000), "aspect ratio 20000.0 over 200"},
      {"54 png 1 x 100000", png_of_size(1, 100000), "aspect ratio 100000.0 over 200"},
      {"54 png 52800 x 44", png_of_size(52800, 44), "aspect ratio 1200.0 over 200"},
      {"54 jpeg 60000 x 100", jpeg_of_size(60000, 100), "aspect ratio 600.0 over 200"},
      {"54 png of a long side", png_of_size(20000, 2000), "a side over limit 16384"},
      {"55 scans", many_scans(), "too many scans"},
      {"57 gif", text("GIF89a\1\0\1\0"s), "format GIF not supported, use JPEG or PNG"},
      {"57 webp", text("RIFF\1\2\3\4WEBPVP8 "), "format WebP not supported, use JPEG or PNG"},
      {"57 heic",
       text("\0\0\0\x18"
            "ftypheic\0\0"s),
       "format HEIC not supported, use JPEG or PNG"},
      {"57 avif",
       text("\0\0\0\x18"
            "ftypavif\0\0"s),
       "format AVIF not supported, use JPEG or PNG"},
      {"57 tiff", text("II*\0\10\0\0\0"s), "format TIFF not supported, use JPEG or PNG"},
      {"57 svg", text("<?xml version=\"1.0\"?>\n<svg width=\"1\"/>"), "format SVG not supported"},
      {"57 psd", text("8BPS\0\1"s), "format PSD not supported, use JPEG or PNG"},
      {"bmp of 7 bits", little_bmp(28, 7), "BMP with 7 bits a pixel not supported"},
      {"bmp of another header", little_bmp(14, 41), "BMP header of 41 bytes not supported"},
      {"bmp in jpeg", little_bmp(30, 4), "BMP compression 4 with 24 bits not supported"},
      {"pnm of letters", text("P6 a b 255\n"), "damaged PNM: no number at byte 3"},
      {"pnm of white 0", text("P5 1 1 0\nx"), "largest value 0 is not in 1..65535"},
      {"pnm value over white", text("P2 1 1 9\n10"), "value 10 over its largest 9 in row 0"},
      {"jpeg of many codes", many_codes(), "damaged JPEG: Huffman table 0 with 4080 codes"},
      {"jpeg of garbage", text("\xFF\xD8\xFF\xE0junk"s), "truncated JPEG"},
      {"jpeg without frame", text("\xFF\xD8\xFF\xD9"s), "damaged JPEG: it has no frame header"},
  };
}

TEST(BadImage, EveryRowGivesItsSentence) {
  for (const Row& row : rows()) {
    const auto start = std::chrono::steady_clock::now();
    const std::string error = test::error_of([&] { (void)read_image(row.file); });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(error.substr(0, 2), "3 ") << row.name << ": " << error;
    EXPECT_NE(error.find(row.pattern), std::string::npos) << row.name << ": " << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << row.name;
    EXPECT_LT(took.count(), 2) << row.name;

    const std::string by_stb = test::error_of([&] { (void)read_image<StbJpeg>(row.file); });
    EXPECT_EQ(by_stb.substr(0, 2), "3 ") << row.name << " by stb_image: " << by_stb;
  }
}

TEST(BadImage, LimitsCanBeSet) {
  const FileBytes file = test::golden_bytes("rgb_odd.png");  // 61 x 47
  const auto with = [&](const ImageLimits& limits) {
    return test::error_of([&] { (void)read_image(file, {.limits = limits}); });
  };
  EXPECT_EQ(with({.pixels = 61 * 47, .side = 61}), "");
  EXPECT_NE(with({.pixels = 2000}).find("61 x 47 = 2867 pixels over limit 2000"),
            std::string::npos);
  EXPECT_NE(with({.side = 60}).find("a side over limit 60"), std::string::npos);
}

/// A folder of its own that goes when the test ends.
struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("stamp_image_" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

std::string error_at(const std::filesystem::path& path, const ReadOptions& options = {}) {
  return test::error_of([&] { (void)read_image(path, options); });
}

TEST(BadImage, PathsThatAreNoRegularFileNeverBlock) {
  const Folder folder;
  const auto fifo = folder.path / "fifo.png", loop = folder.path / "loop.png";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::filesystem::create_symlink(loop, loop);
  for (const std::filesystem::path& path :
       {folder.path, fifo, loop, std::filesystem::path("/dev/zero")}) {
    const std::string error = error_at(path);
    EXPECT_NE(error.find("3 " + path.string() + ": not a regular file"), std::string::npos)
        << error;
  }
  EXPECT_NE(error_at(folder.path / "missing.png").find("No such file"), std::string::npos);
  EXPECT_NE(error_at(folder.path / "a\nb.png").find("a\\x0ab.png: "), std::string::npos);

  const auto secret = folder.path / "secret.png";
  std::filesystem::copy_file(test::goldens / "rgb_1x1.png", secret);
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  if (::access(secret.c_str(), R_OK) != 0) {  // root may read everything
    EXPECT_NE(error_at(secret).find("permission denied"), std::string::npos);
  }
  const ReadOptions small{.limits = {.file_bytes = 100}};
  EXPECT_NE(error_at(test::goldens / "rgb_odd.png", small).find("bytes over limit 100"),
            std::string::npos);
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool under_sanitizer = true;  // it keeps freed memory back
#elif defined(__has_feature)
constexpr bool under_sanitizer = __has_feature(address_sanitizer);
#else
constexpr bool under_sanitizer = false;
#endif

long peak_kilobytes() {
  struct rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// 10,000 single-bit flips a fixture: an error or a picture, never more.
template <class Jpeg>
void flip_bits(const std::string& name) {
  FileBytes file = test::golden_bytes(name);
  std::mt19937 random(11);
  const ImageLimits limits{.pixels = 1 << 20};
  const auto start = std::chrono::steady_clock::now();
  int pictures = 0;
  for (int trial = 0; trial < 10'000; ++trial) {
    const std::size_t at = random() % file.size();
    const auto bit = static_cast<std::uint8_t>(1U << random() % 8);
    file[at] ^= bit;
    try {
      const Image image = read_image<Jpeg>(file, {.limits = limits});
      EXPECT_EQ(std::ssize(image.pixels), image.width * image.height * 3);
      ++pictures;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::input) << error.what();
    }
    file[at] ^= bit;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 120) << name;
  if (name.ends_with(".png")) {
    EXPECT_LT(pictures, 10) << "flips that no checksum saw";
  }
}

TEST(BadImage, BitFlipsGiveAnErrorOrAPicture) {
  const long before = peak_kilobytes();
  for (const char* name :
       {"rgb_filters.png", "palette4_short.png", "adam7_rgb.png", "exif_png.png", "exif_6.jpg",
        "jpeg_cmyk.jpg", "jpeg_progressive.jpg", "jpeg_restart.jpg", "rgb.bmp", "runs8.bmp",
        "runs4.bmp", "palette4.bmp", "rgb565.bmp", "os2.bmp", "rgb.ppm", "text1.pbm", "text3.ppm",
        "grey999.pgm"}) {
    SCOPED_TRACE(name);
    flip_bits<BestJpeg>(name);
  }
  for (const char* name : {"exif_6.jpg", "jpeg_progressive.jpg", "jpeg_cmyk.jpg"}) {
    SCOPED_TRACE(name);
    flip_bits<StbJpeg>(name);
  }
  if (!under_sanitizer) {
    EXPECT_LT(peak_kilobytes() - before, 200'000);
  }
}

/// Without the chunks' checksums in the way the flips reach the inflater and the row filters.
TEST(BadImage, BitFlipsBehindRightChecksums) {
  std::mt19937 random(12);
  for (const char* name :
       {"rgb_filters.png", "adam7_grey1.png", "palette1.png", "grey_alpha16.png"}) {
    const detail::PngParts parts = detail::check_png(test::golden_bytes(name));
    for (int trial = 0; trial < 10'000; ++trial) {
      detail::PngParts damaged = parts;
      std::uint8_t& byte = damaged.compressed[random() % damaged.compressed.size()];
      byte = static_cast<std::uint8_t>(byte ^ 1U << random() % 8);
      try {
        EXPECT_EQ(detail::decode_png(damaged).pixels.size(),
                  detail::decode_png(parts).pixels.size());
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
