// Shuffles and votes against what CUDA's manual says of each lane.

#include "emulator/device_memory.hpp"
#include "support/catch.hpp"

using namespace polytrain::emulator;

namespace {

constexpr int kLanes = 32;

// One warp: results[lane] = f(lane).
template <class T, class F>
std::vector<T> by_lane(F f) {
    const OwnStream stream;
    const DeviceArray<T> results(kLanes);
    T* to = results.data();
    run_in_warp(stream, [=] { to[threadIdx.x] = f(static_cast<int>(threadIdx.x)); });
    return results.read(stream);
}

}  // namespace

TEST_CASE("emulator: shuffles of each kind and width") {
    for (const int width : {2, 4, 8, 16, 32})
        for (const int by : {0, 1, 2, 5, 16, 31}) {
            INFO("width " << width << " by " << by);
            const auto up =
                by_lane<int>([=](int lane) { return __shfl_up_sync(~0u, 100 + lane, by, width); });
            const auto down = by_lane<int>(
                [=](int lane) { return __shfl_down_sync(~0u, 100 + lane, by, width); });
            const auto across =
                by_lane<int>([=](int lane) { return __shfl_xor_sync(~0u, 100 + lane, by, width); });
            const auto from =
                by_lane<int>([=](int lane) { return __shfl_sync(~0u, 100 + lane, by, width); });
            for (int lane = 0; lane < kLanes; ++lane) {
                const int first = lane / width * width, last = first + width;
                const auto at = static_cast<size_t>(lane);
                CHECK(up[at] == 100 + (lane - by < first ? lane : lane - by));
                CHECK(down[at] == 100 + (lane + by >= last ? lane : lane + by));
                // Into a later part of the warp no lane reaches; into an earlier it does.
                CHECK(across[at] == 100 + ((lane ^ by) >= last ? lane : lane ^ by));
                CHECK(from[at] == 100 + first + by % width);
            }
        }
}

TEST_CASE("emulator: shuffles of every size, of parts of a warp") {
    const auto doubles =
        by_lane<double>([](int lane) { return __shfl_xor_sync(~0u, lane + 0.25, 3); });
    const auto bytes = by_lane<uint8_t>(
        [](int lane) { return __shfl_xor_sync(~0u, static_cast<uint8_t>(lane * 7), 3); });
    const auto halves = by_lane<int>([](int lane) {
        return lane < 16 ? __shfl_xor_sync(0xffffu, lane, 5) : __shfl_sync(0xffff0000u, lane, 20);
    });
    for (size_t lane = 0; lane < kLanes; ++lane) {
        CHECK(doubles[lane] == static_cast<double>(lane ^ 3) + 0.25);
        CHECK(bytes[lane] == static_cast<uint8_t>((lane ^ 3) * 7));
        CHECK(halves[lane] == static_cast<int>(lane < 16 ? lane ^ 5 : 20));
    }
}

TEST_CASE("emulator: votes") {
    const auto odd = by_lane<unsigned>([](int lane) { return __ballot_sync(~0u, lane & 1); });
    CHECK(odd == std::vector<unsigned>(kLanes, 0xaaaaaaaau));
    const auto some = by_lane<int>([](int lane) { return __any_sync(~0u, lane == 7); });
    CHECK(some == std::vector<int>(kLanes, 1));
    const auto none = by_lane<int>([](int lane) { return __any_sync(~0u, lane == 77); });
    CHECK(none == std::vector<int>(kLanes, 0));
    const auto all = by_lane<int>([](int lane) {
        return lane < 8 ? __all_sync(0xffu, lane < 8) : __all_sync(~0xffu, lane < 31);
    });
    for (size_t lane = 0; lane < kLanes; ++lane) CHECK((all[lane] != 0) == (lane < 8));
    const auto first = by_lane<int>([](int lane) { return __ffs(lane) + 100 * __popc(lane); });
    CHECK(first[12] == 203);
}
