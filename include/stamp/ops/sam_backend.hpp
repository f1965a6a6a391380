// SPDX-License-Identifier: Apache-2.0
// What a backend must offer beyond ops/backend.hpp to run SAM. A convolution is a matrix product
// over gathered rows, so one operation that moves rows serves windows, convolutions and the way
// back from transposed convolutions.
#pragma once

#include <stamp/ops/backend.hpp>
#include <stamp/ops/relative_position.hpp>

namespace stamp {

namespace requirement {

/// gather_rows(engine, y, x, index): y[i] = x[index[i]], zeros where index[i] is negative; y [R,
/// A], x [S, A], index [R] in the engine's memory, below S: Error{usage}, or a row of NaN from an
/// engine whose memory the host does not see. torch.index_select with a row of zeros.
template <class B>
concept HasGatherRows =
    requires(B& engine, View<typename B::Element, Patches, VisionHidden> y,
             View<const typename B::Element, Pixels, VisionHidden> x,
             View<const std::int32_t, Patches> index) { gather_rows(engine, y, x, index); };

/// relu(engine, x): max(x, 0), in place. torch.nn.functional.relu.
template <class B>
concept HasRelu =
    requires(B& engine, View<typename B::Element, Tokens, Ffn> x) { relu(engine, x); };

/// matmul(engine, y, x, w) where w is an activation, too: y = x·wᵀ, y [R, O], x [R, I], w [O, I].
/// torch.matmul(x, w.T).
template <class B>
concept HasActivationProduct =
    requires(B& engine, View<typename B::Element, Pixels, Masks> y,
             View<const typename B::Element, Pixels, Channels> x,
             View<const typename B::Element, Masks, Channels> w) { matmul(engine, y, x, w); };

/// attend(engine, y, query, key, value, scale, mask, bias): the attention of HasAttend with bias,
/// unscaled, added to scale·q·kᵀ before the softmax. Rows of y and Keys are the map's positions.
template <class B>
concept HasRelativeAttend =
    requires(B& engine, View<typename B::Element, Patches, Heads, HeadDim> y,
             View<const typename B::Element, Patches, Heads, HeadDim> query,
             View<const typename B::Element, Keys, KvHeads, HeadDim> key,
             RelativePosition<typename B::Element> bias) {
      attend(engine, y, query, key, key, 1.0, Bidirectional{}, bias);
    };

}  // namespace requirement

/// An engine that can run SAM, too.
template <class B>
concept SamBackend = Backend<B> && requirement::HasGatherRows<B> && requirement::HasRelu<B> &&
                     requirement::HasActivationProduct<B> && requirement::HasRelativeAttend<B>;

}  // namespace stamp
