#include "app/runtime.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "core/log.hpp"
#include "core/thread_pool.hpp"
#include "kernels/cpu/backend.hpp"
#include "kernels/reference/register.hpp"
#include "ops/linear.hpp"
#include "tensor/backend_library.hpp"

namespace polytrain {
namespace {

constexpr int kMostThreads = 4096;  // as the config's `threads`

void warn_of_slow_products(const OpTable& ops) {
    const Tensor matrix{nullptr, {64, 64}, DType::kBf16, {}};
    if (ops.choice(LinearForward{matrix, matrix, matrix, {}}) == "reference")
        log::warn(
            "precision: bf16 products run by the reference kernels here, which are very slow: this "
            "is "
            "a build without oneDNN and PolyTrain's own products. f32 is the faster choice");
}

std::unique_ptr<Backend> make_backend(const RunConfig& config, int local_rank, int local_ranks) {
    if (config.device != "cpu") {
        std::string why;
        if (auto backend = open_cuda_backend(local_rank, why)) return backend;
        if (config.device == "cuda") fail(ExitCode::kBadConfig, "device: \"cuda\": {}", why);
        log::info("no CUDA device: {}; going on with the CPU", why);
    }
    return make_cpu_backend(thread_count(config.threads, local_ranks));
}

}  // namespace

int thread_count(int64_t wanted, int local_ranks) {
    if (wanted > 0) return static_cast<int>(wanted);
    const char* text = std::getenv("OMP_NUM_THREADS");
    if (text == nullptr || *text == '\0') {
        // A launcher that binds ranks has given each its own processors already.
        const bool is_bound = std::getenv("OMPI_MCA_orte_bound_at_launch") != nullptr;
        return std::max(1, available_processors() / (is_bound ? 1 : local_ranks));
    }
    // A list ("4,2") is OpenMP's form for nested levels: the first is ours.
    const char* end = text + std::strcspn(text, ",");
    int threads = 0;
    const auto [stop, error] = std::from_chars(text, end, threads);
    if (error != std::errc() || stop != end || threads < 1 || threads > kMostThreads)
        fail(ExitCode::kUsage, "OMP_NUM_THREADS is '{}': must be a number from 1 to {}", text,
             kMostThreads);
    return threads;
}

std::unique_ptr<Runtime> make_runtime(const RunConfig& config, int local_rank, int local_ranks) {
    auto runtime = std::make_unique<Runtime>();
    runtime->backend = make_backend(config, local_rank, local_ranks);
    runtime->backend->register_ops(runtime->ops);
    for (const auto& [op, implementation] : config.ops_force)
        runtime->ops.force(op, implementation);
    if (config.precision == "bf16") warn_of_slow_products(runtime->ops);
    return runtime;
}

std::string training_precision(const RunConfig& config, const Backend& backend) {
    const bool is_cpu = backend.device().type == DeviceType::kCpu;
    if (config.precision == "auto") return is_cpu ? "f32" : "bf16";
    if (config.precision == "bf16" && is_cpu && !cpu_has_bf16())
        fail(ExitCode::kBadConfig,
             "precision: \"bf16\": there are no bf16 instructions here (AVX512-BF16 or AMX, by "
             "oneDNN); set it to \"f32\" or \"auto\"");
    return config.precision;
}

const ActivationCatalog& activation_catalog() {
    static const auto table = [] {
        auto made = std::make_unique<OpTable>();
        register_reference_ops(*made);
        return made;
    }();
    return table->activations();
}

}  // namespace polytrain
