// SPDX-License-Identifier: Apache-2.0
// docs/bad-input.md, rows 1 to 21, 26 and 27, as data; and what must load.
#include <cstring>
#include <random>
#include <stamp/checkpoint/safetensors.hpp>
#include <stamp/checkpoint/safetensors_writer.hpp>

#include "unit/checkpoint_files.hpp"

namespace {

using stamp::Index;
using stamp::checkpoint::Safetensors;

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}
/// One float32 tensor of two numbers, `more` added to the header.
std::string one(const std::string& more = "") {
  return "{" + entry("w", "F32", "[2]", "[0,8]") + more + "}";
}
std::string alone(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{" + entry("w", dtype, shape, offsets) + "}";
}

struct BadFile {
  const char* row;
  std::string bytes;
  std::vector<std::string> says;
};

std::vector<BadFile> bad_files() {
  const auto file = [](const std::string& header, std::size_t data = 8) {
    return files::safetensors(header, data);
  };
  std::string many = "{";
  for (int at = 0; at < 65'537; ++at) {
    many += (at == 0 ? "" : ",") + entry("t" + std::to_string(at), "F32", "[0]", "[0,0]");
  }
  many += "}";
  const std::string tail = file(one()) + "x";
  const std::string cut = file(one()).substr(0, file(one()).size() - 3);
  return {
      {"1", "", {"header too small", "0 bytes", "need 8"}},
      {"2", "1234567", {"header too small", "7 bytes", "need 8"}},
      {"3",
       files::safetensors(one(), 8, std::uint64_t{1} << 63),
       {"header length 9223372036854775808 exceeds 100000000"}},
      {"3",
       files::safetensors(one(), 8, 100'000'001),
       {"header length 100000001 exceeds 100000000"}},
      {"4",
       files::safetensors(one(), 8, 5000),
       {"header length 5000 beyond end of file", "truncated download?"}},
      {"4", files::safetensors(one(), 8, one().size() + 9), {"beyond end of file"}},
      {"5", file("{\"\xFF\": 1}"), {"header", "not UTF-8 at byte 2"}},
      {"6", file("hello"), {"JSON error at byte 0"}},
      {"6", file("{\"w\":{"), {"JSON error at byte 6"}},
      {"6", file(std::string(100'000, '[')), {"nesting deeper than 32"}},
      {"6", file("{\"w\":" + std::string(100'000, '[')), {"nesting deeper than 32"}},
      {"6", file("    "), {"JSON error at byte 4"}},
      {"6", file(""), {"JSON error at byte 0"}},
      {"7", file("\xEF\xBB\xBF" + one()), {"header is not a JSON object, byte 0xEF at 8"}},
      {"7", file(" [1]"), {"header is not a JSON object, byte 0x5B at 9"}},
      {"8", file(one("," + entry("w", "F32", "[2]", "[8,16]")), 16), {"duplicate key w"}},
      {"8", file(one("," + entry("\\u0077", "F32", "[2]", "[8,16]")), 16), {"duplicate key w"}},
      {"8", file(one(",\"__metadata__\":{},\"__metadata__\":{}")), {"duplicate key __metadata__"}},
      {"9",
       file(alone("F128", "[2]", "[0,8]")),
       {"dtype F128 of w unknown", "supported: F32, F16, BF16"}},
      {"10", file(alone("F4", "[16]", "[0,8]")), {"dtype F4 of w unsupported", "supported: F32"}},
      {"11",
       file(alone("F32", "[4294967296,4294967296]", "[0,8]")),
       {"w: element count overflows"}},
      {"11", file(alone("F32", "[9223372036854775808]", "[0,8]")), {"w: element count overflows"}},
      {"12", file(alone("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]")), {"w: rank 9 > 8"}},
      {"13", file(alone("F32", "[-2]", "[0,8]")), {"w: shape entry not a non-negative integer"}},
      {"13", file(alone("F32", "[1.5]", "[0,8]")), {"w: shape entry not a non-negative integer"}},
      {"14",
       file(
           "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[4,12]") + "}",
           12),
       {"b: data_offsets [4,12] expected to start at 8"}},
      {"15",
       file("{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[12,20]") +
                "}",
            20),
       {"b: data_offsets [12,20] expected to start at 8"}},
      {"15", file(alone("F32", "[1]", "[4,8]")), {"w: data_offsets [4,8] expected to start at 0"}},
      {"17",
       file(alone("F32", "[2]", "[0,4,8]")),
       {"w: data_offsets must be two non-negative integers, found [0,4,8]"}},
      {"17",
       file(alone("F32", "[2]", "[-8,0]")),
       {"w: data_offsets must be two non-negative integers"}},
      {"17",
       file(alone("F32", "[2]", "[0,8.0]")),
       {"w: data_offsets must be two non-negative integers"}},
      {"18", file(alone("F32", "[3]", "[0,8]")), {"w: shape needs 12 bytes, offsets give 8"}},
      {"18", file(alone("F16", "[2]", "[0,8]")), {"w: shape needs 4 bytes, offsets give 8"}},
      {"19", tail, {"file has " + std::to_string(tail.size()) + " bytes, header describes 8"}},
      {"20", cut, {"file has", "header describes 8", "truncated"}},
      {"20", file(alone("F32", "[2]", "[0,18446744073709551615]")), {"w: shape needs 8 bytes"}},
      {"21",
       file(one(",\"__metadata__\":{\"epoch\":3}")),
       {"metadata value for epoch must be a string"}},
      {"21",
       file(one(",\"__metadata__\":{\"epoch\":{}}")),
       {"metadata value for epoch must be a string"}},
      {"21",
       file(one(",\"__metadata__\":3")),
       {"__metadata__ must be an object whose values are strings"}},
      {"26",
       "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4418050848\n",
       {"this is a git-lfs pointer; fetch the real file of 4418050848"}},
      {"27",
       "PK\x03\x04" + std::string(200, 'x'),
       {"this is a PyTorch pickle; expected safetensors"}},
      {"27",
       "\x80\x02}q\x01." + std::string(200, 'x'),
       {"this is a PyTorch pickle; expected safetensors"}},
      {"27", "\x80\x04\x95", {"this is a PyTorch pickle; expected safetensors"}},
      {"ours", file("{\"w\":3}"), {"w: entry must be an object"}},
      {"ours", file("{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}"), {"w: data_offsets absent"}},
      {"ours", file(alone("F32", "2", "[0,8]")), {"w: shape must be a list"}},
      {"ours", file(many, 0), {"more than 65536 tensors"}},
      {"ours",
       file("{" + entry(std::string(4097, 'n'), "F32", "[2]", "[0,8]") + "}"),
       {"name of 4097 bytes"}},
      {"ours",
       file(one(",\"__metadata__\":{\"k\":\"" + std::string(70'000, 'v') + "\"}")),
       {"metadata of 70001 bytes"}},
  };
}

TEST(Safetensors, RefusesEveryRowOfTheTable) {
  const files::TemporaryFolder folder;
  for (const BadFile& bad : bad_files()) {
    const auto path = files::write(folder / "model.safetensors", bad.bytes);
    const std::string sentence = files::failure_of([&] { const Safetensors file(path); });
    for (const auto& fragment : bad.says) EXPECT_SAYS(sentence, fragment) << "row " << bad.row;
    EXPECT_SAYS(sentence, "model.safetensors: ") << "row " << bad.row;
  }
}

TEST(Safetensors, EndBeforeBeginIsRefused) {  // row 16
  const files::TemporaryFolder folder;
  const auto path =
      files::write(folder / "f", files::safetensors("{" + entry("a", "F32", "[2]", "[0,8]") + "," +
                                                        entry("b", "F32", "[0]", "[8,4]") + "}",
                                                    8));
  EXPECT_SAYS(files::failure_of([&] { const Safetensors file(path); }),
              "b: data_offsets [8,4] expected to start at 8 and not to end before");
}

TEST(Safetensors, LoadsWhatTheReferenceLoads) {
  const files::TemporaryFolder folder;
  const auto count = [&](const std::string& header, std::size_t data) {
    return Safetensors(files::write(folder / "f", files::safetensors(header, data)))
        .entries()
        .size();
  };
  EXPECT_EQ(count(" \t\r\n" + one() + "    ", 8), 1U);  // padding on either side
  EXPECT_EQ(count("{}", 0), 0U);
  EXPECT_EQ(count(alone("F64", "[]", "[0,8]"), 8), 1U);  // rank 0
  EXPECT_EQ(count("{" + entry("a", "F32", "[0,4]", "[0,0]") + "," +
                      entry("b", "F32", "[0]", "[0,0]") + "}",
                  0),
            2U);
  EXPECT_EQ(count(one(",\"__metadata__\":{\"format\":\"pt\"}"), 8), 1U);
  EXPECT_EQ(count(alone("F32", "[0,4611686018427387904]", "[0,0]"), 0), 1U);
}

TEST(Safetensors, OtherTypesAreListedButNotComputedFrom) {  // row 10
  const files::TemporaryFolder folder;
  for (const std::string dtype : {"U8", "I8", "BOOL", "F8_E4M3"}) {
    const Safetensors file(
        files::write(folder / "f", files::safetensors(alone(dtype, "[8]", "[0,8]"), 8)));
    EXPECT_EQ(file.entries()[0].dtype, dtype);
    EXPECT_SAYS(files::failure_of([&] { (void)file.find("w"); }),
                "dtype " + dtype + " of w unsupported, supported: F32, F16, BF16, F64, I32, I64");
  }
}

TEST(Safetensors, WriterAndReaderAgree) {
  using stamp::checkpoint::named;
  const files::TemporaryFolder folder;
  const std::vector<float> floats{1.5F, -2, 3, 4, 5, 6};
  const std::vector<std::int64_t> ids{7, -8};
  const std::vector tensors{named("b", {2, 3}, floats),
                            named("naïve\n", {}, std::span(floats).first(1)), named("a", {2}, ids),
                            named("empty", {0, 5}, std::span<const float>())};
  write_safetensors(folder / "f", tensors, {{"format", "pt"}});

  const Safetensors file(folder / "f");
  EXPECT_EQ(file.names().front(), "a") << "widest elements first";
  EXPECT_EQ(file.metadata().at("format"), "pt");
  for (const auto& tensor : tensors) {
    const auto found = file.find(tensor.name);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->type, tensor.type);
    EXPECT_EQ(std::vector<Index>(found->shape().begin(), found->shape().end()), tensor.shape);
    ASSERT_EQ(static_cast<std::size_t>(found->bytes()), tensor.bytes.size());
    EXPECT_TRUE(tensor.bytes.empty() ||
                std::memcmp(found->data, tensor.bytes.data(), tensor.bytes.size()) == 0);
  }
  EXPECT_FALSE(file.find("absent"));
  const std::string bytes = files::read(folder / "f");
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0) << "header padded to 8";
}

TEST(Safetensors, WriterRefusesWhatNobodyCouldRead) {
  using stamp::checkpoint::named;
  const files::TemporaryFolder folder;
  const std::vector<float> two{1, 2};
  const auto says = [&](const std::vector<stamp::checkpoint::NamedTensor>& tensors) {
    return files::failure_of([&] { write_safetensors(folder / "f", tensors); },
                             stamp::Fault::usage);
  };
  EXPECT_SAYS(says({named("w", {3}, two)}), "w: shape (3) needs 12 bytes, given 8");
  EXPECT_SAYS(says({named("w", {2}, two), named("w", {2}, two)}), "w: given twice");
  EXPECT_SAYS(says({named("\xFF", {2}, two)}), "not UTF-8");
  EXPECT_SAYS(says({named("__metadata__", {2}, two)}), "name is reserved");
  EXPECT_FALSE(std::filesystem::exists(folder / "f"));
}

TEST(Safetensors, WriterTakesEveryTypeOfTheFormatAndTellsHowFarItIs) {
  using stamp::checkpoint::RawTensor;
  const files::TemporaryFolder folder;
  const std::string eight = "ABCDEFGH";
  const auto bytes = std::as_bytes(std::span(eight));
  const std::vector<RawTensor> tensors{{"flags", "BOOL", {2, 4}, bytes}, {"z", "F64", {}, bytes}};
  std::vector<std::size_t> told;
  const auto listen = [&](std::size_t done, std::size_t total) {
    told.push_back(done);
    EXPECT_EQ(total, 16U);
  };
  write_safetensors(folder / "f", tensors, {}, listen);
  EXPECT_EQ(told, (std::vector<std::size_t>{8, 16}));
  const Safetensors file(folder / "f");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"z", "flags"}));
  EXPECT_EQ(file.entry("flags")->dtype, "BOOL");

  const std::vector<RawTensor> unknown{{"w", "F128", {0}, {}}};
  EXPECT_SAYS(
      files::failure_of([&] { write_safetensors(folder / "f", unknown); }, stamp::Fault::usage),
      "w: dtype F128 unknown");
  const auto stop = [](std::size_t, std::size_t) { stamp::fail(stamp::Fault::input, "enough"); };
  const std::string before = files::read(folder / "f");
  EXPECT_SAYS(files::failure_of(
                  [&] { write_safetensors(folder / "f", std::span(tensors).first(1), {}, stop); }),
              "enough");
  EXPECT_EQ(files::read(folder / "f"), before) << "what stops the writing leaves the file";
}

TEST(Safetensors, TenThousandBitFlips) {  // docs/bad-input.md, fault 16
  const std::string original = files::safetensors(
      "{" + entry("model.norm.weight", "F32", "[2]", "[0,8]") + "," +
          entry("w", "BF16", "[2,3]", "[8,20]") + ",\"__metadata__\":{\"format\":\"pt\"}}",
      20);
  std::mt19937 random(16);
  int loaded = 0;
  for (int round = 0; round < 10'000; ++round) {
    // A block of its own size on the heap, so that ASan sees a read past its end.
    std::vector<std::byte> bytes(original.size());
    std::memcpy(bytes.data(), original.data(), original.size());
    const std::size_t bit = random() % (8 * bytes.size());
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    try {
      for (const auto& found : stamp::checkpoint::read_safetensors_header(bytes, "f").tensors) {
        ASSERT_LE(found.end, bytes.size());
        ASSERT_LE(found.begin, found.end);
      }
      ++loaded;  // the flip hit a value, a name, or one type of the same width
    } catch (const stamp::Error& error) {
      ASSERT_EQ(error.fault(), stamp::Fault::input);
    }
  }
  EXPECT_GT(loaded, 100);
  EXPECT_LT(loaded, 5'000);
}

}  // namespace
