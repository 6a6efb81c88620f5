#pragma once
// What every communicator asks of its arguments.

#include <cstdint>
#include <span>
#include <string_view>

#include "comm/communicator.hpp"

namespace polytrain {

void check_reduced(const Tensor& values, std::string_view label);
// ranks + 1 of them, none below 0, none falling.
void check_offsets(std::span<const int64_t> offsets, int ranks, std::string_view label);
void check_broadcast(int64_t bytes, int root, int ranks, std::string_view label);

// Of an all_to_all: `ranks` ranges a side, none of which ends before it begins, and the part from
// this rank to itself as long on both; then copying that part.
void check_all_to_all(std::span<const Range> sends, std::span<const Range> receives, int rank,
                      int ranks, std::string_view label);
void copy_own(const void* send, std::span<const Range> sends, void* receive,
              std::span<const Range> receives, int rank);

}  // namespace polytrain
