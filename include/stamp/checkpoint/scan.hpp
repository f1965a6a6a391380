// SPDX-License-Identifier: Apache-2.0
// Looking for damage in weights that are well-formed as a file: numbers that are not finite, and
// normalisation weights that are all zero.
#pragma once

#include <cstring>
#include <stamp/checkpoint/utf8.hpp>
#include <stamp/tensor/stored.hpp>
#include <string>
#include <string_view>

namespace stamp::checkpoint {

/// How many elements are NaN or infinite, and the flat index of the first.
struct NonFinite {
  Index count = 0;
  Index first = -1;
};

namespace detail {

/// Calls visit(index, bits) for every element; `Word` is an unsigned integer of its width.
template <class Word, class Visit>
void for_each_word(const StoredTensor& tensor, Visit visit) {
  const Index size = tensor.size();
  for (Index at = 0; at < size; ++at) {
    Word bits;
    std::memcpy(&bits, tensor.data + static_cast<std::size_t>(at) * sizeof(Word), sizeof(Word));
    visit(at, bits);
  }
}

/// A float is NaN or infinite when all bits of its exponent are set.
template <class Word>
[[nodiscard]] NonFinite scan_exponents(const StoredTensor& tensor, Word exponent) {
  NonFinite found;
  for_each_word<Word>(tensor, [&](Index at, Word bits) {
    if ((bits & exponent) != exponent) return;
    if (found.count++ == 0) found.first = at;
  });
  return found;
}

}  // namespace detail

/// Looks at every element of a tensor.
[[nodiscard]] NonFinite find_non_finite(const StoredTensor& tensor);

/// Throws Error{input} "NAME has K non-finite values, first at index I".
void check_finite(std::string_view name, const StoredTensor& tensor);

/// Whether every element is zero (of either sign); an empty tensor is not.
[[nodiscard]] bool all_zero(const StoredTensor& tensor);

/// The sentence for a normalisation weight that is all zero, which would silence its layer: a
/// warning, not an error. Empty when `name` is no such weight or is in order.
[[nodiscard]] std::string norm_warning(std::string_view name, const StoredTensor& tensor);

}  // namespace stamp::checkpoint
