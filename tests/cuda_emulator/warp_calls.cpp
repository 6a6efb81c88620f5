// What the lanes of a warp do together, and cp.async.

#include <algorithm>

#include "cuda_emulator/executor.hpp"

namespace polytrain::emulator {
namespace {

float from_bf16(uint32_t pair, int half) {
    const uint32_t bits = half == 0 ? pair << 16 : pair & 0xffff0000u;
    float value = 0;
    copy_bytes(&value, &bits, sizeof value);
    return value;
}

// PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type".
void multiply_fragments(Warp& warp) {
    float a[16][16], b[16][8];
    for (int lane = 0; lane < 32; ++lane) {
        const Fiber& fiber = *warp.fibers[static_cast<size_t>(lane)];
        const auto* ra = static_cast<const uint32_t*>(fiber.operands[1]);
        const auto* rb = static_cast<const uint32_t*>(fiber.operands[2]);
        const int row = lane / 4, column = 2 * (lane % 4);
        for (int half = 0; half < 2; ++half) {
            a[row][column + half] = from_bf16(ra[0], half);
            a[row + 8][column + half] = from_bf16(ra[1], half);
            a[row][column + 8 + half] = from_bf16(ra[2], half);
            a[row + 8][column + 8 + half] = from_bf16(ra[3], half);
            b[column + half][row] = from_bf16(rb[0], half);
            b[column + 8 + half][row] = from_bf16(rb[1], half);
        }
    }
    for (int lane = 0; lane < 32; ++lane) {
        auto* d = static_cast<float*>(warp.fibers[static_cast<size_t>(lane)]->operands[0]);
        for (int i = 0; i < 4; ++i) {
            const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
            float sum = d[i];
            for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
            d[i] = sum;
        }
    }
}

}  // namespace

void shuffle(unsigned mask, void* value, size_t bytes, int source, Place place) {
    Fiber& own = executor().fiber();
    copy_bytes(own.in.data(), value, bytes);
    own.source = source;
    executor().meet(mask, "a shuffle", place, [&](Warp& warp) {
        for (int lane = 0; lane < 32; ++lane) {
            if ((mask >> lane & 1) == 0) continue;
            Fiber& to = *warp.fibers[static_cast<size_t>(lane)];
            const int from = to.source & 31;
            // A lane that isn't in the mask gives what nobody knows.
            if ((mask >> from & 1) == 0)
                fill_bytes(to.out.data(), 0xFF, bytes);
            else
                copy_bytes(to.out.data(), warp.fibers[static_cast<size_t>(from)]->in.data(), bytes);
        }
    });
    copy_bytes(value, own.out.data(), bytes);
}

unsigned ballot(unsigned mask, bool predicate, Place place) {
    Fiber& own = executor().fiber();
    own.source = predicate ? 1 : 0;
    executor().meet(mask, "a vote", place, [&](Warp& warp) {
        unsigned votes = 0;
        for (int lane = 0; lane < 32; ++lane)
            if ((mask >> lane & 1) != 0)
                votes |= static_cast<unsigned>(warp.fibers[static_cast<size_t>(lane)]->source)
                         << lane;
        for (int lane = 0; lane < 32; ++lane)
            if ((mask >> lane & 1) != 0)
                copy_bytes(warp.fibers[static_cast<size_t>(lane)]->out.data(), &votes,
                           sizeof votes);
    });
    unsigned votes = 0;
    copy_bytes(&votes, own.out.data(), sizeof votes);
    return votes;
}

void mma_m16n8k16_bf16(float* d, const uint32_t* a, const uint32_t* b, Place place) {
    executor().fiber().operands = {d, const_cast<uint32_t*>(a), const_cast<uint32_t*>(b)};
    executor().meet(~0u, "mma", place, multiply_fragments);
}

void ldmatrix_x4(uint32_t* registers, const void* row, bool transposed, Place place) {
    if ((reinterpret_cast<uintptr_t>(row) & 15) != 0)
        die("ldmatrix at %s:%d: a row that isn't 16-byte aligned", place.file, place.line);
    executor().shared().check(row, 16, place);
    note_read(row, 16);
    executor().fiber().operands = {registers, const_cast<void*>(row), nullptr};
    executor().meet(~0u, "ldmatrix", place, [&](Warp& warp) {
        const auto element = [&](int matrix, int i, int j) {
            const void* line = warp.fibers[static_cast<size_t>(8 * matrix + i)]->operands[1];
            uint16_t value = 0;
            copy_bytes(&value, static_cast<const char*>(line) + 2 * j, 2);
            return uint32_t{value};
        };
        for (int lane = 0; lane < 32; ++lane) {
            auto* to = static_cast<uint32_t*>(warp.fibers[static_cast<size_t>(lane)]->operands[0]);
            const int i = lane / 4, j = 2 * (lane % 4);
            for (int matrix = 0; matrix < 4; ++matrix)
                to[matrix] = transposed ? element(matrix, j, i) | element(matrix, j + 1, i) << 16
                                        : element(matrix, i, j) | element(matrix, i, j + 1) << 16;
        }
    });
}

void cp_async(void* shared, const void* global, int bytes, int valid, Place place) {
    const auto mask = static_cast<uintptr_t>(bytes - 1);
    if (((reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global)) & mask) != 0)
        die("cp.async of %d bytes at %s:%d: misaligned", bytes, place.file, place.line);
    executor().shared().check(shared, static_cast<size_t>(bytes), place);
    if (valid > 0) check_device_range(global, static_cast<size_t>(valid), "cp.async");
    note_read(global, static_cast<size_t>(valid));
    note_write(shared, static_cast<size_t>(bytes));
    const Quiet quiet;
    Fiber& own = executor().fiber();
    own.copies.push_back({shared, global, bytes, valid, own.copy_group});
}
void cp_async_commit() {
    ++executor().fiber().copy_group;
}
void cp_async_wait(int groups_left) {
    Fiber& own = executor().fiber();
    const auto is_awaited = [&](const Copy& copy) {
        return copy.group < own.copy_group - groups_left;
    };
    for (const Copy& copy : own.copies) {
        if (!is_awaited(copy)) continue;
        copy_bytes(copy.to, copy.from, static_cast<size_t>(copy.valid));
        fill_bytes(static_cast<char*>(copy.to) + copy.valid, 0,
                   static_cast<size_t>(copy.bytes - copy.valid));
        note_write(copy.to, static_cast<size_t>(copy.bytes));
    }
    const Quiet quiet;
    std::erase_if(own.copies, is_awaited);
}

}  // namespace polytrain::emulator
