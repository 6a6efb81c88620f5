// polytrain_cuda_bench [--tiny]: prints one JSON object with the device's name, times of ops at the
// paper's shapes in bf16, and whether ops leave the same bits twice (exit 1 where they don't).
// --tiny takes shapes that the emulator has in seconds. scripts/gpu_check.sh runs it.

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "cuda_bench/bench.hpp"
#include "tensor/backend_library.hpp"

namespace {

using namespace polytrain;
using namespace polytrain::bench;

// For people, beside the JSON.
void print_row(const nlohmann::ordered_json& result) {
    const bool is_product = result.contains("tflop_per_s");
    fmt::print(stderr, "{:<52} {:<9} {:>9.3f} ms {:>8.1f} {}\n", result.at("op").get<std::string>(),
               result.at("implementation").get<std::string>(),
               result.at("milliseconds").get<double>(),
               result.at(is_product ? "tflop_per_s" : "gb_per_s").get<double>(),
               is_product ? "TFLOP/s" : "GB/s");
}

int run(bool is_tiny) {
    std::string why;
    auto backend = open_cuda_backend(0, why);
    if (!backend) {
        fmt::print(stderr, "no CUDA device: {}\n", why);
        return 1;
    }
    const Sizes sizes = is_tiny ? tiny_sizes() : Sizes{};
    nlohmann::ordered_json json{{"device", backend->description()}};
    Bench bench(std::move(backend));
    if (is_tiny) bench.least_seconds = 0;

    repeat_ops(bench, sizes);
    bool all_same = true;
    for (const auto& result : bench.results) all_same = all_same && result.at("same_bits");
    json["repeated"] = std::exchange(bench.results, nlohmann::ordered_json::array());

    bench_memory_bound(bench, sizes);
    bench_products(bench, sizes);
    bench_attention(bench, sizes);
    // Our own kernels too, where a library's are the first choice.
    if (const auto names = bench.ops.implementations("attention.forward"); names.size() > 1) {
        bench.force("attention", names[1]);
        bench_attention(bench, sizes);
    }
    for (const auto& result : bench.results) print_row(result);
    json["timed"] = bench.results;
    fmt::print("{}\n", json.dump(2));
    return all_same ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const bool is_tiny = argc == 2 && std::string_view(argv[1]) == "--tiny";
    if (argc > 1 && !is_tiny) {
        fmt::print(stderr, "usage: polytrain_cuda_bench [--tiny]\n");
        return 2;
    }
    try {
        return run(is_tiny);
    } catch (const std::exception& error) {
        fmt::print(stderr, "polytrain_cuda_bench: {}\n", error.what());
        return 1;
    }
}
