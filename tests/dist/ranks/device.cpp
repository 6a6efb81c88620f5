#include "dist/ranks/device.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

#include "core/file.hpp"
#include "kernels/cpu/backend.hpp"
#include "ops/router.hpp"
#include "tensor/backend_library.hpp"
#include "tensor/host.hpp"

namespace polytrain::testing {
namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

template <class T>
void upload(const Stream& stream, const Tensor& to, const std::vector<T>& values) {
    stream.upload(to, values.data(), values.size() * sizeof(T));
}

// The experts of a file in place of those that `op` chose.
void replay(const RouterForward& op, const Stream& stream, const std::string& path) {
    const std::string bytes = read_file(path);
    std::vector<int32_t> experts(bytes.size() / sizeof(int32_t));
    std::memcpy(experts.data(), bytes.data(), bytes.size());
    const auto probs = to_host<float>(stream, op.probs_NE);
    const auto top_k = static_cast<size_t>(op.experts_NK.dim(1));
    const auto count = static_cast<size_t>(op.probs_NE.dim(1));
    PT_CHECK(experts.size() == static_cast<size_t>(op.experts_NK.elements()), "{}: {} choices",
             path, experts.size());
    std::vector<float> weights(experts.size());
    std::vector<int64_t> counts(count);
    for (size_t n = 0; n * top_k < experts.size(); ++n) {
        float sum = 0;
        for (size_t k = n * top_k; k < (n + 1) * top_k; ++k) {
            const auto expert = static_cast<size_t>(experts[k]);
            weights[k] = probs[n * count + expert];
            sum += weights[k];
            ++counts[expert];
        }
        if (op.renormalise)
            for (size_t k = n * top_k; k < (n + 1) * top_k; ++k) weights[k] /= sum;
    }
    upload(stream, op.experts_NK, experts);
    upload(stream, op.weights_NK, weights);
    upload(stream, op.counts_E, counts);
}

}  // namespace

std::unique_ptr<Backend> tested_backend(World& world) {
    if (variable("POLYTRAIN_TEST_DEVICE") != "cuda") return make_cpu_backend(1);
    std::string why;
    auto backend = open_cuda_backend(world.local_rank(), why);
    if (!backend) fail(ExitCode::kInternal, "no CUDA: {}", why);
    return backend;
}

void register_tested_ops(Backend& backend, OpTable& table, OpTable& chosen, World& world) {
    const std::string routes = variable("POLYTRAIN_ROUTES");
    if (!routes.empty()) {
        backend.register_ops(chosen);
        const bool records = routes.starts_with("record:");
        const std::string prefix =
            fmt::format("{}/rank-{}-call-", routes.substr(routes.find(':') + 1), world.rank());
        table.add<RouterForward>(
            {"tested", [](const RouterForward&) { return true; },
             [&chosen, records, prefix, call = 0](const RouterForward& op,
                                                  const Stream& stream) mutable {
                 chosen.run(op, stream);
                 const std::string path = prefix + std::to_string(call++);
                 if (!records) return replay(op, stream, path);
                 const auto experts = to_host<int32_t>(stream, op.experts_NK);
                 std::ofstream(path, std::ios::binary)
                     .write(reinterpret_cast<const char*>(experts.data()),
                            static_cast<std::streamsize>(experts.size() * sizeof(int32_t)));
             },
             [&chosen](const RouterForward& op) { return chosen.scratch_bytes(op); }});
    }
    backend.register_ops(table);
}

}  // namespace polytrain::testing
