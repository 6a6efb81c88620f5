#pragma once
// GPUs described to cuDNN by hand, from what NVIDIA publishes of them.

#include <fmt/format.h>

#include <string>
#include <vector>

namespace polytrain::testing {

struct DeviceModel {
    std::string name;
    int sm = 0;  // 10 times the compute capability, as cuDNN writes it: 900
    int multiprocessors = 0;
    int shared_per_block = 0;  // most that a kernel can opt in to
    int64_t memory = 0, l2 = 0;
    int clock_khz = 0, memory_clock_khz = 0;

    // "sm90", as it stands in kernels' names.
    std::string arch() const { return fmt::format("sm{}", sm / 10); }

    std::string properties_json() const {
        return fmt::format(
            R"({{"deviceName":"{}","deviceVer":{},"driverVer":13000,"cudaDeviceId":0,)"
            R"("pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,"multiProcessorCount":{},)"
            R"("maxSharedMemoryPerBlockOptin":{},"maxSharedMemoryPerBlock":49152,)"
            R"("reservedSharedMemoryPerBlock":1024,"totalGlobalMem":{},"l2CacheSize":{},)"
            R"("smClockRateKHz":{},"memClockRateKHz":{},"maxGridSize":[2147483647,65535,65535],)"
            R"("maxBlockSize":[1024,1024,64],"maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,)"
            R"("maxCtasPerSM":32,"regsPerBlock":65536,"maxRegistersPerSM":65536,"warpSize":32}})",
            name, sm, multiprocessors, shared_per_block, memory, l2, clock_khz, memory_clock_khz);
    }
};

inline const std::vector<DeviceModel>& device_models() {
    constexpr int64_t kMiB = int64_t{1} << 20;
    static const std::vector<DeviceModel> models = {
        {"A100 80GB", 800, 108, 163 << 10, 81'920 * kMiB, 40 * kMiB, 1'410'000, 1'593'000},
        {"H100 SXM", 900, 132, 227 << 10, 81'559 * kMiB, 50 * kMiB, 1'980'000, 2'619'000},
        {"B200", 1000, 148, 227 << 10, 183'359 * kMiB, 126 * kMiB, 1'965'000, 3'996'000},
    };
    return models;
}

}  // namespace polytrain::testing
