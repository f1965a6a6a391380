// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/pickle_reader.hpp>.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stamp/checkpoint/pickle_reader.hpp>
#include <string_view>
#include <utility>

namespace stamp::checkpoint {

namespace detail {

/// The stack machine of CPython's Unpickler, for the opcodes of `Opcode` only.
class PickleReader {
 public:
  PickleReader(std::span<const std::byte> bytes, std::size_t begin, std::string where,
               std::span<const PickleGlobal> allowed, PickleLimits limits)
      : cursor_(bytes.first(begin + std::min(limits.bytes, bytes.size() - begin)), std::move(where),
                begin),
        allowed_(allowed),
        name_bytes_(limits.name_bytes),
        stack_(cursor_.where(), limits) {}

  [[nodiscard]] Pickle read() {
    read_protocol();
    for (;;) {
      stack_.begin_opcode(cursor_.position());
      const auto code = cursor_.number<std::uint8_t>("pickle without STOP, opcode");
      if (code == static_cast<std::uint8_t>(Opcode::stop)) return stack_.finish(cursor_.position());
      push(code);
    }
  }

 private:
  void read_protocol() {
    stack_.begin_opcode(cursor_.position());
    const auto first = cursor_.number<std::uint8_t>("pickle opcode");
    if (first != static_cast<std::uint8_t>(Opcode::proto)) {
      stop("expected opcode PROTO, found " + opcode_label(first));
    }
    const auto protocol = cursor_.number<std::uint8_t>("pickle protocol");
    if (protocol != 2) {
      stop("pickle protocol " + std::to_string(protocol) + ", expected 2, which torch.save writes");
    }
  }

  /// Opcodes that tell a value.
  void push(std::uint8_t code) {
    switch (static_cast<Opcode>(code)) {
      case Opcode::mark:
        return stack_.mark();
      case Opcode::none:
        return stack_.push({.kind = PickleKind::none});
      case Opcode::new_true:
      case Opcode::new_false:
        return stack_.push({.kind = PickleKind::boolean,
                            .integer = code == static_cast<std::uint8_t>(Opcode::new_true)});
      case Opcode::binint:
      case Opcode::binint1:
      case Opcode::binint2:
      case Opcode::long1:
        return stack_.push(
            {.kind = PickleKind::integer, .integer = read_integer(static_cast<Opcode>(code))});
      case Opcode::binfloat:
        cursor_.skip(8, "number");  // no value of a tensor is told this way
        return stack_.push({.kind = PickleKind::real});
      case Opcode::binunicode: {
        const auto length = cursor_.number<std::uint32_t>("length of a string");
        return stack_.push({.kind = PickleKind::text, .text = cursor_.take(length, "string")});
      }
      case Opcode::global:
        return push_global();
      default:
        return build(code);
    }
  }

  /// Opcodes that put together what is on the stack.
  void build(std::uint8_t code) {
    switch (static_cast<Opcode>(code)) {
      case Opcode::empty_tuple:
        return stack_.push({.kind = PickleKind::tuple});
      case Opcode::tuple:
        return stack_.push({.kind = PickleKind::tuple, .items = stack_.pop_to_mark()});
      case Opcode::tuple1:
      case Opcode::tuple2:
      case Opcode::tuple3:
        return stack_.push({.kind = PickleKind::tuple, .items = stack_.pop(1U + code - 0x85U)});
      case Opcode::empty_list:
        return stack_.push({.kind = PickleKind::list});
      case Opcode::empty_dict:
        return stack_.push({.kind = PickleKind::dictionary});
      case Opcode::append:
        return stack_.extend(PickleKind::list, stack_.pop(1));
      case Opcode::appends:
        return stack_.extend(PickleKind::list, stack_.pop_to_mark());
      case Opcode::setitem:
        return stack_.extend(PickleKind::dictionary, stack_.pop(2));
      case Opcode::setitems: {
        auto items = stack_.pop_to_mark();
        if (items.size() % 2 != 0) stop("SETITEMS with a key that has no value");
        return stack_.extend(PickleKind::dictionary, items);
      }
      case Opcode::binpersid:
        return stack_.push({.kind = PickleKind::persistent, .items = stack_.pop(1)});
      case Opcode::reduce:
        return reduce();
      case Opcode::build:
        // Attributes of an OrderedDict: torch keeps versions of its modules there. Not needed.
        if (stack_.value(stack_.pop()).kind != PickleKind::dictionary)
          stop("BUILD expects a dictionary");
        (void)stack_.top(PickleKind::dictionary);
        return;
      default:
        return remember(code);
    }
  }

  /// The memo: values that are mentioned again.
  void remember(std::uint8_t code) {
    switch (static_cast<Opcode>(code)) {
      case Opcode::binput:
        return stack_.put(cursor_.number<std::uint8_t>("memo index"));
      case Opcode::long_binput:
        return stack_.put(cursor_.number<std::uint32_t>("memo index"));
      case Opcode::binget:
        return stack_.get(cursor_.number<std::uint8_t>("memo index"));
      case Opcode::long_binget:
        return stack_.get(cursor_.number<std::uint32_t>("memo index"));
      default:
        stop("opcode " + opcode_label(code) + " is not one that a dictionary of tensors needs");
    }
  }

  [[nodiscard]] std::int64_t read_integer(Opcode code) {
    if (code == Opcode::binint1) return cursor_.number<std::uint8_t>("integer");
    if (code == Opcode::binint2) return cursor_.number<std::uint16_t>("integer");
    if (code == Opcode::binint) {
      return static_cast<std::int32_t>(cursor_.number<std::uint32_t>("integer"));
    }
    const auto length = cursor_.number<std::uint8_t>("length of an integer");
    if (length > 8) stop("integer of " + std::to_string(length) + " bytes, at most 8");
    const std::string_view bytes = cursor_.take(length, "integer");
    // Two's complement: the sign of the last byte goes on to the left.
    std::uint64_t bits = !bytes.empty() && (bytes.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (std::size_t at = length; at-- > 0;) {
      bits = bits << 8 | static_cast<unsigned char>(bytes[at]);
    }
    return static_cast<std::int64_t>(bits);
  }

  void push_global() {
    const std::string_view module = line();
    const std::string_view name = line();
    for (std::size_t at = 0; at < allowed_.size(); ++at) {
      if (allowed_[at].module == module && allowed_[at].name == name) {
        stack_.push({.kind = PickleKind::global, .integer = static_cast<std::int64_t>(at)});
        return;
      }
    }
    stop("GLOBAL " + printable(module) + " " + printable(name) +
         " is not allowed, nothing of a checkpoint is executed");
  }
  [[nodiscard]] std::string_view line() {
    const std::size_t length = cursor_.rest().substr(0, name_bytes_).find('\n');
    if (length == std::string_view::npos) {
      stop("GLOBAL without a line end within " + std::to_string(name_bytes_) + " bytes");
    }
    return cursor_.take(length + 1, "name").substr(0, length);
  }

  void reduce() {
    const PickleId arguments = stack_.pop();
    const PickleId callee = stack_.pop();
    const bool named = stack_.value(callee).kind == PickleKind::global;
    const GlobalUse use = named
                              ? allowed_[static_cast<std::size_t>(stack_.value(callee).integer)].use
                              : GlobalUse::as_name;
    if (use == GlobalUse::as_name) {
      stop("REDUCE calls " + std::string(name_of(stack_.value(callee).kind)) +
           ", which is not allowed");
    }
    if (stack_.value(arguments).kind != PickleKind::tuple)
      stop("REDUCE expects a tuple of arguments");
    if (use == GlobalUse::as_call) {
      stack_.push({.kind = PickleKind::call, .items = {callee, arguments}});
    } else if (stack_.value(arguments).items.empty()) {
      stack_.push({.kind = PickleKind::dictionary});
    } else {
      stop("OrderedDict with " + std::to_string(stack_.value(arguments).items.size()) +
           " arguments, expected none");
    }
  }

  [[noreturn]] void stop(const std::string& what) const { stack_.stop(what); }

  ByteCursor cursor_;
  std::span<const PickleGlobal> allowed_;
  std::size_t name_bytes_;
  PickleStack stack_;
};

}  // namespace detail

Pickle read_pickle(std::span<const std::byte> bytes, std::size_t begin, std::string where,
                   std::span<const PickleGlobal> allowed, PickleLimits limits) {
  return detail::PickleReader(bytes, begin, std::move(where), allowed, limits).read();
}

}  // namespace stamp::checkpoint
