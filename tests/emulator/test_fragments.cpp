// ldmatrix and mma against plain loops, by the fragments of the PTX manual.

#include <algorithm>

#include "emulator/device_memory.hpp"
#include "kernels/cuda/kernel.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace polytrain::emulator;
using polytrain::testing::Random;
namespace cuda = polytrain::cuda;

namespace {

// Numbers that bf16 holds, as their bits.
std::vector<uint16_t> small_numbers(int64_t count, Random& random) {
    std::vector<uint16_t> bits;
    for (int64_t i = 0; i < count; ++i)
        bits.push_back(static_cast<uint16_t>(
            std::bit_cast<uint32_t>(static_cast<float>(random.integer(-64, 64)) / 16) >> 16));
    return bits;
}
float value(uint16_t bits) {
    return std::bit_cast<float>(uint32_t{bits} << 16);
}

// Four matrices of 8 x 8, row-major one after another, and what each lane gets of them.
std::vector<uint32_t> load(const std::vector<uint16_t>& matrices, bool transposed) {
    const OwnStream stream;
    const DeviceArray<uint16_t> in(matrices, stream);
    const DeviceArray<uint32_t> out(32 * 4);
    const uint16_t* from = in.data();
    uint32_t* to = out.data();
    run_in_warp(stream, [=] {
        SHARED_ARRAY(uint4, rows, 32);
        const int lane = static_cast<int>(threadIdx.x);
        rows[lane] = cuda::load_16(from + 8 * lane);
        __syncwarp();
        uint32_t registers[4];
        if (transposed)
            cuda::ldmatrix_x4_transposed(registers, rows + lane);
        else
            cuda::ldmatrix_x4(registers, rows + lane);
        for (int i = 0; i < 4; ++i) to[4 * lane + i] = registers[i];
    });
    return out.read(stream);
}

}  // namespace

TEST_CASE("emulator: ldmatrix, as it is and transposed") {
    Random random("ldmatrix");
    const auto matrices = small_numbers(4 * 64, random);
    for (const bool transposed : {false, true}) {
        const auto registers = load(matrices, transposed);
        for (size_t lane = 0; lane < 32; ++lane)
            for (size_t matrix = 0; matrix < 4; ++matrix)
                for (size_t part = 0; part < 2; ++part) {
                    const size_t row = lane / 4, column = lane % 4 * 2 + part;
                    const uint16_t expected =
                        matrices[64 * matrix + (transposed ? 8 * column + row : 8 * row + column)];
                    CHECK((registers[4 * lane + matrix] >> (16 * part) & 0xffffu) == expected);
                }
    }
}

TEST_CASE("emulator: mma.m16n8k16") {
    Random random("mma");
    const auto a = small_numbers(16 * 16, random), b = small_numbers(16 * 8, random);
    const auto before = counting(16 * 8);
    const OwnStream stream;
    const DeviceArray<uint16_t> a_in(a, stream), b_in(b, stream);
    const DeviceArray<float> c(before, stream);
    const uint16_t *pa = a_in.data(), *pb = b_in.data();
    float* pc = c.data();
    run_in_warp(stream, [=] {
        const int lane = static_cast<int>(threadIdx.x), row = lane / 4, column = lane % 4 * 2;
        const auto pair = [](uint16_t low, uint16_t high) { return uint32_t{high} << 16 | low; };
        const auto of_a = [&](int i, int j) { return pair(pa[16 * i + j], pa[16 * i + j + 1]); };
        const auto of_b = [&](int k, int n) { return pair(pb[8 * k + n], pb[8 * (k + 1) + n]); };
        const uint32_t fa[4] = {of_a(row, column), of_a(row + 8, column), of_a(row, column + 8),
                                of_a(row + 8, column + 8)};
        const uint32_t fb[2] = {of_b(column, row), of_b(column + 8, row)};
        float* const to[4] = {pc + 8 * row + column, pc + 8 * row + column + 1,
                              pc + 8 * (row + 8) + column, pc + 8 * (row + 8) + column + 1};
        float d[4] = {*to[0], *to[1], *to[2], *to[3]};
        cuda::mma_m16n8k16(d, fa, fb);
        for (int i = 0; i < 4; ++i) *to[i] = d[i];
    });
    const auto after = c.read(stream);
    for (size_t i = 0; i < 16; ++i)
        for (size_t j = 0; j < 8; ++j) {
            float sum = before[8 * i + j];
            for (size_t k = 0; k < 16; ++k) sum += value(a[16 * i + k]) * value(b[8 * k + j]);
            CHECK(after[8 * i + j] == sum);  // exact: few bits each
        }
}

TEST_CASE("emulator: sums over a block") {
    for (const unsigned threads : {32u, 64u, 96u, 512u, 1024u})
        for (uint64_t seed = 1; seed <= (threads <= 96 ? 3 : 1); ++seed) {
            set_schedule({seed, true, false});
            const OwnStream stream;
            const DeviceArray<float> sums(2 * size_t{threads});
            float* to = sums.data();
            run_in_block(stream, threads, [=] {
                SHARED_ARRAY(float, shared, 64);
                const auto t = static_cast<float>(threadIdx.x);
                float x[2] = {t, 1.0f};
                for (int round = 0; round < 2; ++round) {
                    x[0] = t;
                    x[1] = 1.0f;
                    cuda::block_sums(x, shared);
                    __syncthreads();
                }
                to[2 * threadIdx.x] = x[0];
                to[2 * threadIdx.x + 1] = x[1];
            });
            const auto all = sums.read(stream);
            const float expected = static_cast<float>(threads * (threads - 1) / 2);
            for (size_t t = 0; t < threads; ++t) {
                CHECK(all[2 * t] == expected);
                CHECK(all[2 * t + 1] == static_cast<float>(threads));
            }
        }
    set_schedule({});
}
