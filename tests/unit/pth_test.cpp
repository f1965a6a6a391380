// SPDX-License-Identifier: Apache-2.0
// Files that torch.save wrote, in both containers, against what the safetensors library wrote of
// the same tensors (reference/pytorch/pth_goldens.py).
#include <cstring>
#include <stamp/checkpoint/tensor_file.hpp>

#include "unit/checkpoint_files.hpp"
#include "unit/pth_files.hpp"

namespace {

using stamp::Index;
using stamp::checkpoint::Pth;
using stamp::checkpoint::Safetensors;
using stamp::checkpoint::TensorEntry;
using stamp::checkpoint::TensorFile;
using stamp::checkpoint::TensorFormat;

const std::filesystem::path goldens = STAMP_SOURCE_DIR "/tests/goldens/pth";

class RealPth : public testing::TestWithParam<const char*> {};

TEST_P(RealPth, HoldsWhatSafetensorsHolds) {
  const Pth pth(goldens / GetParam());
  const Safetensors expected(goldens / "expected.safetensors");
  EXPECT_EQ(pth.entries().size(), expected.entries().size());
  for (const TensorEntry& entry : expected.entries()) {
    SCOPED_TRACE(entry.name);
    const TensorEntry* found = pth.entry(entry.name);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->dtype, entry.dtype);
    EXPECT_EQ(found->shape, entry.shape);
    const auto bytes = pth.bytes(*found);
    ASSERT_EQ(bytes.size(), entry.bytes());
    EXPECT_TRUE(bytes.empty() ||
                std::memcmp(bytes.data(), expected.bytes(entry).data(), bytes.size()) == 0);
  }
}

TEST_P(RealPth, IsUsedInPlaceWhereItsElementsLieInARow) {
  const Pth pth(goldens / GetParam());
  const auto mapped = [&](const char* name) {
    const auto* data = pth.bytes(*pth.entry(name)).data();
    const auto file = pth.map().bytes();
    return data >= file.data() && data < file.data() + file.size();
  };
  for (const char* name : {"0.weight", "view.rows", "parameter", "one.column"}) {
    EXPECT_TRUE(mapped(name)) << name;
  }
  for (const char* name : {"view.transposed", "view.stepped", "view.expanded", "view.permuted"}) {
    EXPECT_FALSE(mapped(name)) << name;
  }
  EXPECT_EQ(pth.find("view.tied")->data, pth.find("0.weight")->data) << "one storage, two names";
}
INSTANTIATE_TEST_SUITE_P(Containers, RealPth,
                         testing::Values("zip.pth", "legacy.pth", "wrapped.pth"),
                         [](const auto& test) {
                           return std::filesystem::path(test.param).stem().string();
                         });

TEST(Pth, ListsTensorsInTheDictionarysOrderAndTheRestByName) {
  const Pth plain(goldens / "zip.pth");
  EXPECT_EQ(plain.names()[0], "0.weight");
  EXPECT_EQ(plain.names()[1], "0.bias");
  EXPECT_TRUE(plain.others().empty());
  const Pth wrapped(goldens / "wrapped.pth");
  EXPECT_EQ(wrapped.names(), plain.names());
  EXPECT_EQ(wrapped.others(),
            (std::vector<std::string>{"epoch", "rate", "steps", "none", "names", "below"}));
}

TEST(Pth, FindsTheStateDictBesideOtherTensors) {
  const files::TemporaryFolder folder;
  namespace pickle = files::pickle;
  const std::string two = pickle::tensor(pickle::storage("0", 2), 0, {2}, {1});
  for (const std::string wrapper : {"model", "state_dict"}) {
    const Pth file(files::write(
        folder / "f",
        files::pth(pickle::dictionary(pickle::text("rng") + two + pickle::text(wrapper) + "}(" +
                                      pickle::text("w") + two + "u"),
                   {{"0", "ABCDEFGH"}})));
    EXPECT_EQ(file.names(), std::vector<std::string>{"w"});
    EXPECT_EQ(file.others(), std::vector<std::string>{"rng"});
  }
}

TEST(Pth, HasNoNumbersToComputeFromInOtherTypes) {
  const Pth pth(goldens / "zip.pth");
  EXPECT_EQ(pth.find("dtype.bfloat16")->type, stamp::ElementType::bfloat16);
  EXPECT_SAYS(files::failure_of([&] { (void)pth.find("dtype.bool"); }),
              "dtype BOOL of dtype.bool unsupported, supported: F32");
  EXPECT_FALSE(pth.find("absent"));
}

TEST(Pth, IsNotWhatOtherProgramsPutIntoAZip) {
  EXPECT_SAYS(files::failure_of([] { const Pth file(goldens / "script.pth"); }), "is compressed");
  EXPECT_SAYS(files::failure_of([] { const Pth file(goldens / "protocol4.pth"); }),
              "data.pkl: byte 0: pickle protocol 4, expected 2");
}

TEST(TensorFile, TellsFormatsApartByTheirFirstBytes) {
  const files::TemporaryFolder folder;
  const auto format = [&](const char* golden, const char* name) {
    std::filesystem::copy(goldens / golden, folder / name);
    return TensorFile(folder / name).format();
  };
  EXPECT_EQ(format("zip.pth", "a.safetensors"), TensorFormat::pth_zip);
  EXPECT_EQ(format("legacy.pth", "b.safetensors"), TensorFormat::pth_legacy);
  EXPECT_EQ(format("expected.safetensors", "c.pth"), TensorFormat::safetensors);
  // 0x04034B50 is also a length that a JSON header may have.
  using stamp::checkpoint::format_of;
  EXPECT_EQ(format_of(std::string("PK\x03\x04\0\0\0\0{", 9)), TensorFormat::safetensors);
  EXPECT_EQ(format_of(std::string("PK\x03\x04\x14\0\0\0\0", 9)), TensorFormat::pth_zip);
  EXPECT_EQ(format_of("\x80\x04"), TensorFormat::pth_legacy);
  EXPECT_EQ(format_of(""), TensorFormat::safetensors);
}

TEST(TensorFile, GivesTheSameTensorsFromEitherFormat) {
  const TensorFile pth(goldens / "wrapped.pth");
  const TensorFile safe(goldens / "expected.safetensors");
  const auto values = [](const TensorFile& file) {
    const auto bytes = file.bytes(*file.entry("view.transposed"));
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  EXPECT_EQ(values(pth), values(safe));
  EXPECT_EQ(pth.others().size(), 6U);
  EXPECT_TRUE(safe.others().empty());
  EXPECT_EQ(pth.find("0.bias")->size(), safe.find("0.bias")->size());
}

TEST(Pth, MayHaveZip64FieldsACommentAndPaddedHeaders) {
  const files::TemporaryFolder folder;
  namespace pickle = files::pickle;
  const std::string data =
      pickle::dictionary(pickle::text("w") + pickle::tensor(pickle::storage("0", 2), 0, {2}, {1}));
  const auto loads = [&](const std::vector<files::ZipPart>& parts, const files::ZipEnd& end) {
    const Pth file(files::write(folder / "f", files::zip(parts, end)));
    EXPECT_EQ(file.entry("w")->shape, std::vector<Index>{2});
    EXPECT_EQ(static_cast<char>(file.bytes(*file.entry("w"))[7]), 'H');
  };
  const std::vector<files::ZipPart> plain{{.name = "a/data.pkl", .data = data},
                                          {.name = "a/data/0", .data = "ABCDEFGH"}};
  loads(plain, {});
  loads(plain, {.zip64 = true});
  loads(plain, {.zip64 = true, .small_members = 2});
  loads(plain, {.comment = "PK\x05\x06, says a comment"});
  auto wide = plain;
  for (auto& part : wide) part.zip64 = true;
  wide[1].local_extra = "FB" + files::little(7, 2) + "ZZZZZZZ";
  wide[0].flags = 8;  // sizes follow the data: then the local header tells none
  wide[0].local_bytes = 0;
  loads(wide, {.zip64 = true});
}

}  // namespace
