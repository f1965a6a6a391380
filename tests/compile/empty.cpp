// SPDX-License-Identifier: Apache-2.0
// Nothing: stands for a unit that uses stamp::reference, so that CMake can be asked for its flags.
