// SPDX-License-Identifier: Apache-2.0
// What stamp::formats is compiled from. A program that does not link it includes this file in
// exactly one of its translation units; the headers hold declarations only.
#pragma once

#include <stamp/checkpoint.ipp>
#include <stamp/image.ipp>
#include <stamp/session.ipp>
#include <stamp/text.ipp>
