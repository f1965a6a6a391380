// SPDX-License-Identifier: Apache-2.0
// Asking a view for an axis that it does not have.
//
// g++ says: static assertion failed: this view has no such axis
// clang++ says: static assertion failed due to requirement 'at < rank': this view has no such axis
#include <stamp/tensor/view.hpp>

stamp::Index width(stamp::View<float, stamp::Tokens, stamp::Hidden> x) {
#ifdef MUST_FAIL
  return x.axis<stamp::Ffn>().size;
#else
  return x.axis<stamp::Hidden>().size;
#endif
}
