#pragma once
// A block's shared memory.

#include <cstddef>
#include <vector>

#include "cuda_emulator/execution.hpp"

namespace polytrain::emulator {

// What one block may have, of an H100, in all and without asking (CUDA C++ Programming Guide,
// "Compute capabilities").
inline constexpr size_t kMostShared = 227 << 10, kMostStaticShared = 48 << 10;

class SharedMemory {
  public:
    // Memory that a block's arrays can be put in.
    static unsigned char* make();

    void begin_grid(size_t dynamic_bytes) { dynamic_bytes_ = dynamic_bytes; }
    void begin_block(unsigned char* memory);
    void end_block();

    // NaN bytes when first asked for in a block.
    void* array(const void* key, size_t bytes);
    void* dynamic();
    // Ends the process where [address, address + bytes) isn't in one of the block's arrays.
    void check(const void* address, size_t bytes, Place place) const;

  private:
    struct Array {
        const void* key;
        unsigned char* data;
        size_t bytes;
    };
    void* add(const void* key, size_t bytes);

    unsigned char* memory_ = nullptr;
    size_t used_ = 0, dynamic_bytes_ = 0, claimed_ = 0;
    std::vector<Array> arrays_;
};

}  // namespace polytrain::emulator
