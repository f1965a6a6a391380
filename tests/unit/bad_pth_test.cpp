// SPDX-License-Identifier: Apache-2.0
// docs/bad-input.md, rows 66 to 72, as data: PyTorch files that attack, lie or are cut short.
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <stamp/checkpoint/pth.hpp>

#include "unit/checkpoint_files.hpp"
#include "unit/pth_files.hpp"

namespace {

using namespace std::string_literals;
using files::little;
using files::pth;
using files::zip;
using files::ZipEnd;
using files::ZipPart;
using stamp::checkpoint::Pth;
namespace pickle = files::pickle;

struct BadFile {
  std::string name;
  std::string bytes;
  std::vector<std::string> says;
};

/// A `.pth` with this pickle and one storage of two floats.
std::string with(const std::string& data_pkl) { return pth(data_pkl, {{"0", "ABCDEFGH"}}); }
/// A dictionary that holds a good tensor "w" and then these opcodes: a key and its value.
std::string after_good(const std::string& items) {
  return with(pickle::dictionary(pickle::text("w") +
                                 pickle::tensor(pickle::storage("0", 2), 0, {2}, {1}) + items));
}
/// The tensor "w", of `elements` as the pickle tells, on a storage of two floats.
std::string window(std::int64_t offset, const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& strides, std::int64_t elements = 2) {
  return with(pickle::dictionary(
      pickle::text("w") + pickle::tensor(pickle::storage("0", elements), offset, shape, strides)));
}

const std::string good = window(0, {2}, {1});

/// Row 66: what would be executed.
std::vector<BadFile> attacks() {
  const std::string system = "cos\nsystem\n" + pickle::text("true") + "\x85R.";
  return {
      {"os_system",
       with("\x80\x02" + system),
       {"data.pkl: byte 2: GLOBAL os system", "not allowed"}},
      {"builtins_eval", after_good("X\1\0\0\0ac__builtin__\neval\n"s), {"GLOBAL __builtin__ eval"}},
      {"rebuild_of_another_module",
       after_good(pickle::text("a") + "ctorch\n_rebuild_tensor_v2\n)R"),
       {"GLOBAL torch _rebuild_tensor_v2 is not allowed"}},
      {"reduce_a_storage_class",
       after_good(pickle::text("a") + "ctorch\nFloatStorage\n)R"),
       {"REDUCE calls a class name, which is not allowed"}},
      {"reduce_text",
       after_good(pickle::text("a") + pickle::text("print") + ")R"),
       {"REDUCE calls text"}},
      {"reduce_without_tuple",
       after_good(pickle::text("a") + "ccollections\nOrderedDict\n]R"),
       {"REDUCE expects a tuple of arguments"}},
      {"ordered_dict_with_arguments",
       after_good(pickle::text("a") + "ccollections\nOrderedDict\n]\x85R"),
       {"OrderedDict with 1 arguments"}},
      {"stack_global",
       after_good(pickle::text("os") + pickle::text("system") + "\x93"),
       {"opcode STACK_GLOBAL (0x93) is not one that a dictionary of tensors needs"}},
      {"newobj", after_good("\x81"), {"opcode NEWOBJ (0x81)"}},
      {"inst", with("\x80\x02(ios\nsystem\n."), {"byte 3: opcode INST (0x69)"}},
      {"obj", with("\x80\x02(o."), {"byte 3: opcode OBJ (0x6f)"}},
      {"extension", with("\x80\x02\x82\x01."), {"byte 2: opcode EXT1 (0x82)"}},
      {"unknown_opcode", with("\x80\x02\xFF."), {"byte 2: opcode unknown (0xff)"}},
      {"global_without_end",
       with("\x80\x02"
            "c" +
            std::string(100'000, 'a')),
       {"GLOBAL without a line end within 256 bytes"}},
  };
}

/// Row 67: pickles that are broken or ask for too much.
std::vector<BadFile> broken_pickles() {
  std::string bomb = "\x80\x02]q\0"s;
  for (int index = 1; index < 200; ++index) {
    // Each list holds the one before twice: 2^200 elements for whoever would walk over them.
    bomb += "]q" + little(static_cast<std::uint64_t>(index), 1) + "(h" +
            little(static_cast<std::uint64_t>(index - 1), 1) + "h" +
            little(static_cast<std::uint64_t>(index - 1), 1) + "e";
  }
  const std::string cycle = "]q\1h\1a"s;
  std::string memo = "\x80\x02N";
  for (std::uint32_t index = 0; index <= 1U << 21U; ++index) memo += "r" + little(index, 4);
  return {
      {"empty", with(""), {"data.pkl: pickle opcode at byte 0: expected 1 bytes, 0 are left"}},
      {"protocol_0", with("(dp0\n."), {"byte 0: expected opcode PROTO, found MARK (0x28)"}},
      {"protocol_5", with("\x80\x05}."), {"byte 0: pickle protocol 5, expected 2"}},
      {"protocol_1", with("\x80\x01}."), {"byte 0: pickle protocol 1, expected 2"}},
      {"second_protocol", with("\x80\x02\x80\x02}."), {"byte 2: opcode PROTO"}},
      {"without_stop", with("\x80\x02}"), {"pickle without STOP", "at byte 3"}},
      {"after_stop", with("\x80\x02}.x"), {"data.pkl: ends at byte 4, the member has 5"}},
      {"stop_too_early", with("\x80\x02}}."), {"STOP with values left on the stack"}},
      {"stop_below_mark", with("\x80\x02}(."), {"byte 4: stack underflow"}},
      {"underflow", with("\x80\x02s."), {"byte 2: stack underflow"}},
      {"tuple_underflow", with("\x80\x02N\x87."), {"byte 3: stack underflow"}},
      {"no_mark", with("\x80\x02t."), {"byte 2: stack without a MARK"}},
      {"through_a_mark", with("\x80\x02}(NNs."), {"byte 6: stack underflow"}},
      {"odd_items", with("\x80\x02}(Nu."), {"byte 5: SETITEMS with a key that has no value"}},
      {"append_to_a_dictionary",
       with("\x80\x02}Na."),
       {"expected a list on the stack, found a dictionary"}},
      {"set_in_a_list",
       with("\x80\x02]NNs."),
       {"expected a dictionary on the stack, found a list"}},
      {"build_with_text",
       with("\x80\x02}" + pickle::text("a") + "b."),
       {"BUILD expects a dictionary"}},
      {"build_on_none", with("\x80\x02N}b."), {"expected a dictionary on the stack, found None"}},
      {"memo_unwritten", with("\x80\x02h\x07."), {"byte 2: memo index 7 was never written"}},
      {"memo_of_nothing", with("\x80\x02q\x07."), {"byte 2: stack underflow"}},
      {"memo_bomb", with(memo), {"more than 2097152 values in the memo"}},
      {"reference_bomb", with(bomb + "."), {"STOP with values left on the stack"}},
      {"reference_bomb_inside",
       after_good(pickle::text("a") + bomb.substr(2, bomb.size() - 2)),
       {"SETITEMS with a key"}},
      {"deep", with("\x80\x02" + std::string(100'000, '(')), {"nesting deeper than 256"}},
      {"stack_bomb", with("\x80\x02" + std::string(1'100'000, 'N')), {"more than 1048576 values"}},
      {"values_bomb",
       with("\x80\x02]" +
            [] {
              std::string nothings;
              for (int at = 0; at < 2'200'000; ++at) nothings += "Na";
              return nothings;
            }()),
       {"more than 2097152 values"}},
      {"endless_string",
       with("\x80\x02X\xFF\xFF\xFF\xFF"
            "abc"),
       {"data.pkl: string at byte 7: expected 4294967295 bytes, 3 are left"}},
      {"string_cut", with("\x80\x02X\x10\0"s), {"length of a string at byte 3: expected 4 bytes"}},
      {"integer_cut", with("\x80\x02J\1\2"), {"integer at byte 3: expected 4 bytes, 2 are left"}},
      {"integer_of_200_bytes",
       with("\x80\x02\x8a\xC8" + std::string(200, '\1') + "."),
       {"byte 2: integer of 200 bytes, at most 8"}},
      {"root_is_none", with("\x80\x02N."), {"expected a dictionary of tensors, found None"}},
      {"root_is_a_list", with("\x80\x02" + cycle + "."), {"found a list"}},
      {"root_is_a_tensor",
       with("\x80\x02" + pickle::tensor(pickle::storage("0", 2), 0, {2}, {1}) + "."),
       {"expected a dictionary of tensors, found a tensor call"}},
      {"no_tensors",
       with(pickle::dictionary(pickle::text("epoch") + "K\3")),
       {"holds no tensors", "under state_dict or model; found: epoch"}},
      {"nothing", with("\x80\x02}."), {"holds no tensors", "found: nothing"}},
      {"two_levels",
       with(pickle::dictionary(pickle::text("model") + "}" + pickle::text("model") + "}" +
                               pickle::text("w") +
                               pickle::tensor(pickle::storage("0", 2), 0, {2}, {1}) + "ss")),
       {"holds no tensors", "found: "}},
      {"both_wrappers",
       with(pickle::dictionary(pickle::text("model") + "}" + pickle::text("state_dict") + "}")),
       {"holds both state_dict and model"}},
  };
}

/// Row 68: tensors that do not fit what they look into.
std::vector<BadFile> bad_tensors() {
  const std::int64_t large = std::int64_t{1} << 62;
  const auto odd = [](const std::string& value) { return after_good(pickle::text("a") + value); };
  const std::string call = "ctorch._utils\n_rebuild_tensor_v2\n";
  const std::string good_storage = pickle::storage("0", 2);
  const auto id = [](const std::string& items) {
    return after_good(pickle::text("a") + "(" + items + "tQ");
  };
  return {
      {"shape_over",
       window(0, {3}, {1}),
       {"w: shape (3) with strides (1) from element 0 reaches element 2, its storage has 2"}},
      {"offset_over", window(1, {2}, {1}), {"from element 1 reaches element 2"}},
      {"offset_over_empty", window(3, {0}, {1}), {"from element 3", "its storage has 2"}},
      {"stride_over", window(0, {2}, {2}), {"reaches element 2, its storage has 2"}},
      {"scalar_over", window(2, {}, {}), {"from element 2 reaches element 2"}},
      {"offset_large", window(large, {2}, {1}), {"w: shape (2)", "its storage has 2"}},
      {"stride_overflow", window(0, {5}, {large}), {"w: element count overflows"}},
      {"reach_overflow", window(large, {2, 2}, {large, large}), {"w: size overflows"}},
      {"shape_overflow", window(0, {large, large}, {0, 0}), {"w: element count overflows"}},
      {"bytes_overflow", window(0, {large}, {0}), {"w: element count overflows"}},
      {"zero_strides",
       window(0, {1 << 20, 1 << 10}, {0, 0}),
       {"w: shape (1048576, 1024) with strides (0, 0) needs a copy of 4294967296 bytes",
        "at most"}},
      {"negative_shape", window(0, {-2}, {1}), {"w: shape not a non-negative integer, found -2"}},
      {"negative_stride",
       window(1, {2}, {-1}),
       {"w: strides not a non-negative integer, found -1"}},
      {"negative_offset",
       window(-1, {2}, {1}),
       {"w: storage offset not a non-negative integer, found -1"}},
      {"negative_elements",
       window(0, {2}, {1}, -2),
       {"storage 0: element count not a non-negative integer"}},
      {"ranks_differ", window(0, {2}, {1, 1}), {"w: shape (2) and strides (1, 1) differ in rank"}},
      {"rank_9",
       window(0, {1, 1, 1, 1, 1, 1, 1, 1, 2}, {1, 1, 1, 1, 1, 1, 1, 1, 1}),
       {"w: shape: rank 9 > 8"}},
      {"shape_of_text",
       odd(call + "(" + good_storage + "K\0"s + pickle::text("x") + ")\x89}tR"),
       {"a: shape expected to be a tuple, found text"}},
      {"shape_with_none",
       odd(call + "(" + good_storage + "K\0N\x85)\x89}tR"s),
       {"a: shape not a non-negative integer, found None"}},
      {"two_arguments", odd(call + good_storage + "K\0\x86R"s), {"a: tensor with 2 arguments"}},
      {"no_storage", odd(call + "(NK\0))\x89}tR"s), {"a: expected a storage, found None"}},
      {"conjugated",
       odd(call + "(" + good_storage + "K\0))\x89}}"s + pickle::text("conj") + "\x88stR"),
       {"a: tensor is conjugated or negated"}},
      {"parameter_of_nothing",
       odd("ctorch._utils\n_rebuild_parameter\n(N\x88}tR"),
       {"a: expected a call of _rebuild_tensor_v2, found None"}},
      {"parameter_of_a_parameter",
       odd("ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_parameter\n(N\x88}tR\x88}"
           "tR"),
       {"a: expected a call of _rebuild_tensor_v2, found a tensor call"}},
      {"parameter_alone",
       odd("ctorch._utils\n_rebuild_parameter\n)R"),
       {"a: parameter expected to have 3 arguments"}},
      {"id_not_a_tuple", odd("NQ"), {"storage expected a tuple of five, found None"}},
      {"id_too_short", id("NN"), {"storage expected a tuple of five, found a tuple of 2"}},
      {"id_of_a_module", id(pickle::text("module") + "NNNN"), {"expected the word storage first"}},
      {"id_without_class",
       id(pickle::text("storage") + "N" + pickle::text("0") + "NK\2"),
       {"storage 0: expected a storage class of torch"}},
      {"id_with_a_function",
       id(pickle::text("storage") + call + pickle::text("0") + "NK\2"),
       {"storage 0: expected a storage class of torch"}},
      {"id_key_a_number",
       id(pickle::text("storage") + "ctorch\nFloatStorage\nK\0NK\2"s),
       {"storage key expected to be text"}},
      {"id_part_of_another",
       id(pickle::text("storage") + "ctorch\nFloatStorage\n" + pickle::text("0") + "NK\2)"),
       {"storage 0: is a part of another storage"}},
      {"storage_of_two_types",
       odd(pickle::storage("0", 2, "IntStorage")),
       {"storage 0: mentioned as 2 F32 and as 2 I32"}},
      {"storage_of_two_lengths",
       odd(pickle::storage("0", 1)),
       {"storage 0: mentioned as 2 F32 and as 1 F32"}},
      {"duplicate_key",
       odd("N" + pickle::text("w") + pickle::tensor(good_storage, 0, {2}, {1})),
       {"duplicate key w"}},
      {"key_a_number",
       after_good("K\7" + pickle::tensor(good_storage, 0, {2}, {1})),
       {"name of a tensor expected to be text, found an integer"}},
      {"key_not_utf8",
       after_good(pickle::text("a\xFF") + pickle::tensor(good_storage, 0, {2}, {1})),
       {"a\\xff: name is not UTF-8"}},
      {"key_long",
       after_good(pickle::text(std::string(4097, 'n')) + pickle::tensor(good_storage, 0, {2}, {1})),
       {"name of 4097 bytes, at most 4096"}},
  };
}

/// Rows 69 and 70: the ZIP file around the pickle.
std::vector<BadFile> bad_archives() {
  const std::string data =
      pickle::dictionary(pickle::text("w") + pickle::tensor(pickle::storage("0", 2), 0, {2}, {1}));
  const ZipPart data_pkl{.name = "a/data.pkl", .data = data};
  const ZipPart zero{.name = "a/data/0", .data = "ABCDEFGH"};
  const auto changed = [&](const std::function<void(ZipPart&)>& change, const ZipEnd& end = {}) {
    ZipPart part = zero;
    change(part);
    return zip({data_pkl, part}, end);
  };
  const auto ended = [&](const ZipEnd& end) { return zip({data_pkl, zero}, end); };
  const auto elements = [&](std::int64_t count) {
    return pth(pickle::dictionary(pickle::text("w") +
                                  pickle::tensor(pickle::storage("0", count), 0, {2}, {1})),
               {{"0", "ABCDEFGH"}});
  };
  const std::string whole = ended({});
  const std::size_t second = whole.find("PK\x03\x04", 4);
  return {
      {"signature_only", "PK\x03\x04" + std::string(64, '\0'), {"ZIP file without its end record"}},
      {"cut", whole.substr(0, whole.size() - 3), {"without its end record", "truncated download?"}},
      {"trailing", whole + "x", {"without its end record"}},
      {"empty_directory", "PK\x03\x04" + zip({}, {.begin = 4}), {"empty ZIP file"}},
      {"compressed",
       changed([](ZipPart& p) { p.method = 8; }),
       {"ZIP member a/data/0: is compressed (method 8), expected stored"}},
      {"zip_bomb",
       changed([](ZipPart& p) {
         p.method = 8;
         p.original = std::uint64_t{1} << 40;
         p.zip64 = true;
       }),
       {"is compressed"}},
      {"stored_bomb",
       changed([](ZipPart& p) { p.original = 1'000'000; }),
       {"a/data/0: stored as 8 bytes, holds 1000000"}},
      {"compressed_in_local_header_only",
       [&] {
         std::string bytes = whole;
         bytes[second + 8] = '\x08';
         return bytes;
       }(),
       {"a/data/0: its local header tells another size or method"}},
      {"encrypted", changed([](ZipPart& p) { p.flags = 1; }), {"a/data/0: is encrypted"}},
      {"size_to_the_directory",
       changed([](ZipPart& p) {
         p.stored = 5000;
         p.local_bytes = 5000;
       }),
       {"a/data/0: 5000 bytes at byte", "reach into the directory"}},
      {"size_huge",
       changed([](ZipPart& p) {
         p.stored = ~std::uint64_t{0};
         p.zip64 = true;
         p.flags = 8;
       }),
       {"reach into the directory"}},
      {"sizes_differ", changed([](ZipPart& p) { p.local_bytes = 4; }), {"another size"}},
      {"names_differ",
       changed([](ZipPart& p) { p.local_name = "a/data/1"; }),
       {"a/data/0: its local header tells another name"}},
      {"duplicate", zip({data_pkl, zero, zero}), {"ZIP member a/data/0 stands twice"}},
      {"duplicate_pickle", zip({data_pkl, data_pkl, zero}), {"a/data.pkl stands twice"}},
      {"overlap",
       zip({data_pkl,
            {.name = "a/data/0",
             .data = "PK\x03\x04\0\0\x08"s + std::string(19, '\0') + "\x08\0\0\0"s + "a/data/1" +
                     "ABCDEFGH"},
            {.name = "a/data/1", .data = "ABCDEFGH", .header = second + 30 + 8}}),
       {"overlaps a/data/0"}},
      {"same_place",
       zip({data_pkl, zero, {.name = "a/data/1", .header = second}}),
       {"its local header tells another name"}},
      {"header_beyond",
       changed([](ZipPart& p) { p.header = 100'000; }),
       {"ZIP record expected at byte 100000"}},
      {"header_elsewhere",
       changed([](ZipPart& p) { p.header = 1; }),
       {"expected local header of ZIP member a/data/0 at byte 1"}},
      {"zip64_field_missing",
       changed([](ZipPart& p) { p.stored = 0xFFFFFFFF; }),
       {"ZIP64 extra field"}},
      {"members_more", ended({.members = 3}), {"lists 3 members, at most 2"}},
      {"members_fewer", ended({.members = 1}), {"ZIP directory expected to end at byte"}},
      {"members_huge",
       ended({.zip64 = true, .members = std::uint64_t{1} << 60}),
       {"lists 1152921504606846976 members, at most 2"}},
      {"directory_long", ended({.bytes = 100'000}), {"ZIP directory of 100000 bytes"}},
      {"directory_moved", ended({.begin = 1}), {"at byte 1 expected to end at"}},
      {"directory_wraps",
       ended({.zip64 = true, .bytes = ~std::uint64_t{0} - 10, .begin = 30}),
       {"expected to end at"}},
      {"two_directories",
       ended({.zip64 = true, .small_members = 1}),
       {"ZIP and ZIP64 end records tell different directories"}},
      {"zip64_missing", ended({.small_members = 0xFFFF}), {"there is none"}},
      {"parts", ended({.disk = 1}), {"ZIP file in several parts"}},
      {"no_data_pkl", zip({zero}), {"no data.pkl in the ZIP file"}},
      {"any_zip",
       zip({{.name = "readme.txt", .data = "hello"}}),
       {"stands outside the top folder"}},
      {"two_tops",
       zip({data_pkl, {.name = "b/data/0", .data = "ABCDEFGH"}}),
       {"ZIP member b/data/0 stands outside the top folder a/"}},
      {"byteorder_big",
       zip({data_pkl, zero, {.name = "a/byteorder", .data = "big"}}),
       {"byteorder big, expected little"}},
      {"storage_missing", zip({data_pkl}), {"data/0 missing, the pickle mentions it"}},
      {"storage_short", elements(3), {"data/0: 3 F32 need 12 bytes, found 8"}},
      {"storage_long", elements(1), {"data/0: 1 F32 need 4 bytes, found 8"}},
      {"storage_overflow", elements(std::int64_t{1} << 62), {"data/0: element count overflows"}},
      {"key_with_dots",
       pth(pickle::dictionary(pickle::text("w") +
                              pickle::tensor(pickle::storage("../data.pkl", 2), 0, {2}, {1}))),
       {"data/../data.pkl missing"}},
  };
}

/// Rows 71 and 72: files of PyTorch before 1.6, and pickles that are none of PyTorch's.
std::vector<BadFile> bad_legacy() {
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s;
  const std::string protocol = "\x80\x02M\xe9\x03."s;
  const std::string front = magic + protocol;
  const std::string system = "\x80\x02}" + pickle::text("little_endian") + "\x88s.";
  const std::string data =
      pickle::dictionary(pickle::text("w") + pickle::tensor(pickle::storage("7", 2), 0, {2}, {1}));
  const std::string keys = "\x80\x02]" + pickle::text("7") + "a.";
  const std::string numbers = little(2, 8) + "ABCDEFGH";
  const auto at = [](std::size_t position) { return "byte " + std::to_string(position); };
  const std::size_t after = front.size() + system.size();
  return {
      {"pickle", "\x80\x02}q\0."s, {"a pickle, but not PyTorch's: expected the magic number"}},
      {"pickle_4", "\x80\x04\x95", {"not PyTorch's"}},
      {"magic_cut", magic.substr(0, 9), {"the file ends there; truncated download?"}},
      {"protocol_1000",
       magic + "\x80\x02M\xe8\x03." + std::string(40, 'x'),
       {"expected the legacy protocol 1001 at byte 15"}},
      {"system_absent", front, {at(front.size())}},
      {"system_text", front + "\x80\x02" + pickle::text("x") + ".", {"expected a dictionary"}},
      {"big_endian",
       front + "\x80\x02}" + pickle::text("little_endian") + "\x89s." + data,
       {"little_endian is false"}},
      {"attack_in_system",
       front + "\x80\x02"
               "cos\nsystem\n)R.",
       {at(front.size() + 2) + ": GLOBAL os system"}},
      {"attack_in_pickle",
       front + system +
           "\x80\x02"
           "cos\nsystem\n)R.",
       {at(after + 2) + ": GLOBAL os system"}},
      {"attack_in_keys",
       front + system + data +
           "\x80\x02"
           "cos\nsystem\n)R.",
       {at(after + data.size() + 2) + ": GLOBAL os system"}},
      {"keys_absent", front + system + data, {"truncated download?"}},
      {"keys_no_list", front + system + data + "\x80\x02}.", {"expected a list of storage keys"}},
      {"key_unknown",
       front + system + data + "\x80\x02]" + pickle::text("8") + "a." + numbers,
       {"storage 8 is listed, the pickle does not mention it"}},
      {"key_twice",
       front + system + data + "\x80\x02]" + pickle::text("7") + "a" + pickle::text("7") + "a." +
           numbers + numbers,
       {"storage 7 is listed twice"}},
      {"key_unlisted",
       front + system + data + "\x80\x02].",
       {"storage 7 is mentioned, but not listed"}},
      {"storage_cut",
       front + system + data + keys + numbers.substr(0, 12),
       {"storage 7 at byte", "expected 8 bytes, 4 are left; truncated download?"}},
      {"count_cut", front + system + data + keys + "\2", {"storage 7", "truncated"}},
      {"count_lies",
       front + system + data + keys + little(~std::uint64_t{0}, 8) + "ABCDEFGH",
       {"storage 7: holds 18446744073709551615 elements, the pickle tells 2"}},
      {"trailing", front + system + data + keys + numbers + "x", {"trailing bytes"}},
  };
}

void expect_refused(const std::vector<BadFile>& table) {
  const files::TemporaryFolder folder;
  for (const BadFile& bad : table) {
    const auto path = files::write(folder / "sam.pth", bad.bytes);
    const std::string sentence = files::failure_of([&] { const Pth file(path); });
    for (const auto& fragment : bad.says) EXPECT_SAYS(sentence, fragment) << bad.name;
    EXPECT_SAYS(sentence, "sam.pth: ") << bad.name;
  }
}

TEST(BadPth, TheFileThatAllOthersAreMadeFromIsGood) {
  const files::TemporaryFolder folder;
  const Pth file(files::write(folder / "f", good));
  EXPECT_EQ(file.names(), std::vector<std::string>{"w"});
}
TEST(BadPth, NothingIsExecuted) { expect_refused(attacks()); }
TEST(BadPth, BrokenPicklesAreRefused) { expect_refused(broken_pickles()); }
TEST(BadPth, TensorsOutsideTheirStoragesAreRefused) { expect_refused(bad_tensors()); }
TEST(BadPth, BrokenArchivesAreRefused) { expect_refused(bad_archives()); }
TEST(BadPth, BrokenLegacyFilesAreRefused) { expect_refused(bad_legacy()); }

TEST(BadPth, SharedReferencesAndCyclesCostNothing) {
  const files::TemporaryFolder folder;
  std::string lists = "]q\0"s;
  for (int index = 1; index < 200; ++index) {
    const auto one = little(static_cast<std::uint64_t>(index - 1), 1);
    lists += "]q" + little(static_cast<std::uint64_t>(index), 1) + "(h" + one + "h" + one + "e\x86";
  }
  const std::string cycle = pickle::text("loop") +
                            "]q\xFEh\xFE"
                            "a";
  const Pth file(files::write(folder / "f", after_good(pickle::text("laughs") + lists + cycle)));
  EXPECT_EQ(file.others(), (std::vector<std::string>{"laughs", "loop"}));
}

TEST(BadPth, StridesOfAxesOfOneAreNeverTaken) {
  const files::TemporaryFolder folder;
  const std::int64_t large = std::numeric_limits<std::int64_t>::max();
  const Pth file(files::write(folder / "f", window(0, {2, 1}, {1, large})));
  EXPECT_EQ(file.entry("w")->bytes(), 8U);
  const Pth copied(files::write(folder / "g", window(1, {1, 2, 1}, {large, 0, large})));
  const auto bytes = copied.bytes(*copied.entry("w"));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "EFGHEFGH");
}

/// Every file of the table's kind, with single bits flipped: an error or a valid result.
TEST(BadPth, TenThousandBitFlips) {  // docs/bad-input.md, fault 16
  const std::filesystem::path goldens = STAMP_SOURCE_DIR "/tests/goldens/pth";
  const files::TemporaryFolder folder;
  std::mt19937 random(16);
  int loaded = 0;
  for (const char* name : {"zip.pth", "legacy.pth"}) {
    const std::string original = files::read(goldens / name);
    const bool zip = original.starts_with("PK");
    for (int round = 0; round < 10'000; ++round) {
      // A block of its own size on the heap, so that ASan sees a read past its end.
      std::vector<std::byte> bytes(original.size());
      std::memcpy(bytes.data(), original.data(), original.size());
      const std::size_t bit = random() % (8 * bytes.size());
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      try {
        const auto content = zip ? stamp::checkpoint::read_zip_pth(bytes, "f")
                                 : stamp::checkpoint::read_legacy_pth(bytes, "f");
        for (const auto& tensor : stamp::checkpoint::read_state_dict(content, "f").tensors) {
          if (tensor.entry.bytes() > 1'000'000) continue;  // Pth refuses so large a copy
          const auto copy = stamp::checkpoint::row_major_copy(bytes, tensor);
          ASSERT_EQ(copy.size(), tensor.entry.bytes());
        }
        ++loaded;  // the flip hit a number, a name, or padding
      } catch (const stamp::Error& error) {
        ASSERT_EQ(error.fault(), stamp::Fault::input);
      }
    }
  }
  EXPECT_GT(loaded, 1'000);
  EXPECT_LT(loaded, 16'000);
}

/// Every cut of a good file is refused.
TEST(BadPth, EveryCutIsRefused) {
  const std::filesystem::path goldens = STAMP_SOURCE_DIR "/tests/goldens/pth";
  for (const char* name : {"zip.pth", "legacy.pth"}) {
    const std::string original = files::read(goldens / name);
    const bool zip = original.starts_with("PK");
    for (std::size_t size = 0; size < original.size(); ++size) {
      std::vector<std::byte> bytes(size);
      if (size > 0) std::memcpy(bytes.data(), original.data(), size);
      EXPECT_THROW((void)(zip ? stamp::checkpoint::read_zip_pth(bytes, "f")
                              : stamp::checkpoint::read_legacy_pth(bytes, "f")),
                   stamp::Error)
          << name << " cut to " << size;
    }
  }
}

}  // namespace
