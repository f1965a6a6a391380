// SPDX-License-Identifier: Apache-2.0
// Definitions of <stamp/checkpoint/pth_zip.hpp>.
#pragma once

#include <algorithm>
#include <stamp/checkpoint/pth_zip.hpp>
#include <vector>

namespace stamp::checkpoint {

namespace detail {

/// The members without their common top folder, whatever it is called.
class PthArchive {
 public:
  PthArchive(std::span<const std::byte> file, std::string where)
      : file_(file), where_(std::move(where)), members_(read_zip_directory(file, where_)) {
    if (members_.empty()) stop("empty ZIP file, expected data.pkl");
    const std::string& first = members_.front().name;
    const std::string top = first.substr(0, first.find('/') + 1);
    for (ZipMember& member : members_) {
      if (top.empty() || !member.name.starts_with(top)) {
        stop("ZIP member " + printable(member.name) + " stands outside the top folder " +
             printable(top) + "; expected a file that torch.save wrote");
      }
      member.name.erase(0, top.size());
    }
    std::sort(members_.begin(), members_.end(),
              [](const ZipMember& a, const ZipMember& b) { return a.name < b.name; });
  }

  [[nodiscard]] const ZipMember* find(std::string_view name) const {
    const auto place = std::lower_bound(
        members_.begin(), members_.end(), name,
        [](const ZipMember& member, std::string_view wanted) { return member.name < wanted; });
    return place != members_.end() && place->name == name ? &*place : nullptr;
  }

  [[nodiscard]] PthContent read() const {
    check_byte_order();
    const ZipMember* data = find("data.pkl");
    if (data == nullptr) stop("no data.pkl in the ZIP file; expected one that torch.save wrote");
    PthContent content;
    const std::string where = where_ + ": data.pkl";
    const auto bytes = file_.subspan(data->begin, data->bytes());
    content.pickle = read_pickle(bytes, 0, where, pth_globals);
    if (content.pickle.end != data->bytes()) {
      fail(Fault::input, where + ": ends at byte " + std::to_string(content.pickle.end) +
                             ", the member has " + std::to_string(data->bytes()));
    }
    content.storages = read_storages(content.pickle, where);
    for (auto& [key, storage] : content.storages) place(key, storage);
    return content;
  }

 private:
  void check_byte_order() const {
    const ZipMember* order = find("byteorder");
    if (order == nullptr) return;  // PyTorch before 2.1 did not tell
    const auto* text = reinterpret_cast<const char*>(file_.data()) + order->begin;
    const std::string_view told(text, order->bytes());
    if (told != "little") stop("byteorder " + printable(told, 20) + ", expected little");
  }

  void place(std::string_view key, PthStorage& storage) const {
    const std::string name = "data/" + std::string(key);
    const ZipMember* member = find(name);
    if (member == nullptr) stop(printable(name) + " missing, the pickle mentions it");
    const Index needed =
        checked_multiply(storage.elements, storage.width(), where_ + ": " + printable(name));
    if (static_cast<std::size_t>(needed) != member->bytes()) {
      stop(printable(name) + ": " + std::to_string(storage.elements) + " " +
           std::string(storage.dtype) + " need " + std::to_string(needed) + " bytes, found " +
           std::to_string(member->bytes()));
    }
    storage.begin = member->begin;
  }

  [[noreturn]] void stop(const std::string& what) const {
    fail(Fault::input, where_ + ": " + what);
  }

  std::span<const std::byte> file_;
  std::string where_;
  std::vector<ZipMember> members_;
};

}  // namespace detail

PthContent read_zip_pth(std::span<const std::byte> file, const std::string& where) {
  return detail::PthArchive(file, where).read();
}

}  // namespace stamp::checkpoint
