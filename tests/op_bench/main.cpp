// polytrain_op_bench [--device cpu|cuda] [--precision f32|bf16] [--threads N] [--tiny] [--only
// TEXT]: prints one JSON object with the device's name, times of ops and whether ops leave the same
// bits twice (exit 1 where they don't). On CUDA at the paper's shapes, on the CPU at those of
// configs/bench with the processor's peaks, measured in the same run; --tiny takes shapes that the
// emulator has in seconds; --only times those ops alone that have the text in their names.
// scripts/gpu_check.sh and scripts/bench/ops.sh run it.

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/thread_pool.hpp"
#include "kernels/cpu/backend.hpp"
#include "op_bench/bench.hpp"
#include "op_bench/cpu_peaks.hpp"
#include "tensor/backend_library.hpp"

namespace {

using namespace polytrain;
using namespace polytrain::bench;

struct Options {
    bool on_cpu = false, is_tiny = false;
    std::string precision = "bf16", only;
    int threads = available_processors();
};

// For people, beside the JSON.
void print_row(const nlohmann::ordered_json& result) {
    const bool is_product = result.contains("tflop_per_s");
    fmt::print(stderr, "{:<52} {:<9} {:>9.3f} ms {:>8.{}f} {}{}\n",
               result.at("op").get<std::string>(), result.at("implementation").get<std::string>(),
               result.at("milliseconds").get<double>(),
               result.at(is_product ? "tflop_per_s" : "gb_per_s").get<double>(), is_product ? 3 : 1,
               is_product ? "TFLOP/s" : "GB/s",
               result.contains("share")
                   ? fmt::format(" {:>4.0f} %", 100 * result.at("share").get<double>())
                   : "");
}

// Each result's share of what the processor can do at most.
void add_shares(nlohmann::ordered_json& results, const CpuPeaks& peaks, bool is_bf16) {
    const double most = is_bf16 ? std::max(peaks.f32, peaks.bf16) : peaks.f32;
    for (auto& result : results)
        result["share"] = result.contains("tflop_per_s")
                              ? result.at("tflop_per_s").get<double>() / most
                              : result.at("gb_per_s").get<double>() / peaks.bandwidth();
}

int run(const Options& options) {
    std::string why;
    auto backend = options.on_cpu ? make_cpu_backend(options.threads) : open_cuda_backend(0, why);
    if (!backend) {
        fmt::print(stderr, "no CUDA device: {}\n", why);
        return 1;
    }
    Sizes sizes = options.is_tiny ? tiny_sizes() : options.on_cpu ? cpu_sizes() : Sizes{};
    sizes.storage = options.precision == "bf16" ? DType::kBf16 : DType::kF32;
    nlohmann::ordered_json json{{"device", backend->description()},
                                {"precision", options.precision}};
    Bench bench(std::move(backend));
    if (options.is_tiny) bench.least_seconds = 0;
    bench.only = options.only;

    if (options.only.empty()) repeat_ops(bench, sizes);
    bool all_same = true;
    for (const auto& result : bench.results) all_same = all_same && result.at("same_bits");
    json["repeated"] = std::exchange(bench.results, nlohmann::ordered_json::array());

    CpuPeaks peaks;
    if (options.on_cpu) peaks = measure_cpu_peaks(options.threads);
    bench_memory_bound(bench, sizes);
    bench_products(bench, sizes);
    bench_attention(bench, sizes);
    // Our own kernels too, where a library's are the first choice.
    if (const auto names = bench.ops.implementations("attention.forward");
        !options.on_cpu && names.size() > 1) {
        bench.force("attention", names[1]);
        bench_attention(bench, sizes);
    }
    if (options.on_cpu) {
        // Again: machines are shared, and one that is busy for a moment has no peak.
        const CpuPeaks again = measure_cpu_peaks(options.threads);
        peaks = {std::max(peaks.copy, again.copy),
                 std::max(peaks.streaming_copy, again.streaming_copy),
                 std::max(peaks.f32, again.f32), std::max(peaks.bf16, again.bf16)};
        add_shares(bench.results, peaks, options.precision == "bf16");
        json["peaks"] = {{"copy_gb_per_s", peaks.copy},
                         {"streaming_copy_gb_per_s", peaks.streaming_copy},
                         {"f32_tflop_per_s", peaks.f32},
                         {"bf16_tflop_per_s", peaks.bf16}};
        fmt::print(stderr,
                   "copies {:.1f} GB/s, streaming {:.1f}; f32 {:.3f} TFLOP/s, bf16 pairs {:.3f}\n",
                   peaks.copy, peaks.streaming_copy, peaks.f32, peaks.bf16);
    }
    for (const auto& result : bench.results) print_row(result);
    json["timed"] = bench.results;
    fmt::print("{}\n", json.dump(2));
    return all_same ? 0 : 1;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--tiny") {
            options.is_tiny = true;
            continue;
        }
        if (++i == argc) return false;
        const std::string value = argv[i];
        if (name == "--device" && (value == "cpu" || value == "cuda"))
            options.on_cpu = value == "cpu";
        else if (name == "--precision" && (value == "f32" || value == "bf16"))
            options.precision = value;
        else if (name == "--only")
            options.only = value;
        else if (name == "--threads" && std::atoi(value.c_str()) > 0)
            options.threads = std::atoi(value.c_str());
        else
            return false;
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        fmt::print(stderr,
                   "usage: polytrain_op_bench [--device cpu|cuda] [--precision f32|bf16] "
                   "[--threads N] [--tiny] [--only TEXT]\n");
        return 2;
    }
    try {
        return run(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "polytrain_op_bench: {}\n", error.what());
        return 1;
    }
}
