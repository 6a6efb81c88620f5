#pragma once
// What every communicator asks of its arguments.

#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/tensor.hpp"

namespace polytrain {

void check_reduced(const Tensor& values, std::string_view label);
// ranks + 1 of them, none below 0, none falling.
void check_offsets(std::span<const int64_t> offsets, int ranks, std::string_view label);
void check_broadcast(int64_t bytes, int root, int ranks, std::string_view label);

// An all_to_all's part from this rank to itself: its size on both sides, and copying it.
void check_own(std::span<const int64_t> send_offsets, std::span<const int64_t> receive_offsets,
               int rank, std::string_view label);
void copy_own(const void* send, std::span<const int64_t> send_offsets, void* receive,
              std::span<const int64_t> receive_offsets, int rank);

}  // namespace polytrain
