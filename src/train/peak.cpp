#include "train/peak.hpp"

#include <algorithm>

#include "core/clock.hpp"
#include "ops/elementwise.hpp"
#include "ops/linear.hpp"
#include "tensor/memory_plan.hpp"

namespace polytrain {
namespace {

constexpr int64_t kLeastWidth = 128, kMostWidth = 1024;
constexpr double kRepetitions = 4;  // that the width leaves room for
constexpr double kSeconds = 0.2, kLeastSeconds = 0.002;

double flops_of(int64_t width) {
    const auto n = static_cast<double>(width);
    return 2 * n * n * n;
}

}  // namespace

double measure_peak(Backend& backend, const OpTable& ops, DType storage, double flops) {
    int64_t width = kLeastWidth;
    while (width < kMostWidth && kRepetitions * flops_of(2 * width) <= flops) width *= 2;
    const Tensor described{nullptr, {width, width}, storage, backend.device()};
    LinearForward product{described, described, described, {}};

    MemoryPlan plan;
    const auto matrix = [&](const char* name) {
        return plan.add(name, described.shape, storage, Life::kData);
    };
    const TensorId x = matrix("x"), w = matrix("w"), y = matrix("y");
    const TensorId scratch = plan.add("scratch", {static_cast<int64_t>(ops.scratch_bytes(product))},
                                      DType::kU8, Life::kData);
    const Arena arena(backend, plan);
    product = {arena[x], arena[w], arena[y], arena[scratch]};
    const Stream stream(backend);
    ops.run(Fill{product.x_NI, 1.0}, stream);
    ops.run(Fill{product.w_OI, 0.5}, stream);
    ops.run(product, stream);  // the first may have to make its code
    stream.synchronize();

    const Stopwatch total;
    double best = 0, done = flops_of(width);
    do {
        const Stopwatch watch;
        ops.run(product, stream);
        stream.synchronize();
        best = std::max(best, flops_of(width) / watch.seconds());
        done += flops_of(width);
    } while (total.seconds() < kLeastSeconds ||
             (total.seconds() < kSeconds && done + flops_of(width) <= flops));
    return best;
}

}  // namespace polytrain
