// RMSNorm, PolyNorm and AdamW are bound by memory: what they move is near the fewest bytes that
// their contracts need, each tensor read or written once.

#include "cuda_traffic/traffic.hpp"

#include <memory>

#include "kernels/cuda/register.hpp"
#include "ops/activation.hpp"
#include "ops/adamw.hpp"
#include "ops/rms_norm.hpp"
#include "support/catch.hpp"
#include "tensor/backend_library.hpp"

extern "C" polytrain::Backend* polytrain_cuda_backend(int version, int local_rank, char* why,
                                                      size_t why_bytes);

using namespace polytrain;

namespace {

struct CountedDevice {
    std::unique_ptr<Backend> backend;
    OpTable ops;
    Stream stream;

    CountedDevice() : backend(open()), stream(*backend) { backend->register_ops(ops); }
    static Backend* open() {
        char why[256] = "";
        Backend* backend = polytrain_cuda_backend(kBackendVersion, 0, why, sizeof why);
        INFO(why);
        REQUIRE(backend != nullptr);
        return backend;
    }
};

// Runs the op on memory of its own; returns the bytes it moved over the fewest possible: every
// tensor once, those that are updated and sums twice.
template <class Op>
double excess(const CountedDevice& device, Op op) {
    std::vector<Buffer> buffers;
    size_t fewest = 0;
    Op::tensors([&](std::string_view, Tensor Op::*member, Role role) {
        Tensor& tensor = op.*member;
        if (role == Role::kScratch)
            tensor = {
                nullptr, {static_cast<int64_t>(device.ops.scratch_bytes(op))}, DType::kU8, {}};
        else
            fewest += tensor.bytes() * (role == Role::kUpdate || role == Role::kSum ? 2 : 1);
        tensor.data = buffers.emplace_back(*device.backend, tensor.bytes()).data();
    });
    traffic::reset();
    device.ops.run(op, device.stream);
    device.stream.synchronize();
    const traffic::Traffic moved = traffic::counted();
    UNSCOPED_INFO(Op::kName << ": " << moved.read << " read, " << moved.written << " written, "
                            << fewest << " needed");
    CHECK(moved.all() >= fewest);
    return static_cast<double>(moved.all()) / static_cast<double>(fewest);
}

Tensor described(Shape shape, DType dtype) {
    return {nullptr, shape, dtype, {}};
}

constexpr double kMost = 1.05;
constexpr auto kStorages = {DType::kF32, DType::kBf16};

}  // namespace

TEST_CASE("traffic: rms_norm") {
    const CountedDevice device;
    // Many rows, so that what each block reads and leaves once is little.
    const int64_t rows = 24000, width = 128;
    for (DType t : kStorages) {
        const Tensor x = described({rows, width}, t), gain = described({width}, DType::kF32),
                     rstd = described({rows}, DType::kF32);
        CHECK(excess(device, RmsNormForward{x, gain, x, rstd}) <= kMost);
        CHECK(excess(device, RmsNormForward{x, gain, x, rstd, 1e-5, x, x}) <= kMost);
        CHECK(excess(device, RmsNormBackward{x, gain, rstd, x, x, gain, {}}) <= kMost);
        CHECK(excess(device, RmsNormBackward{x, gain, rstd, x, x, gain, {}, x}) <= kMost);
    }
}

TEST_CASE("traffic: polynorm") {
    const CountedDevice device;
    const ActivationInfo* info = device.ops.activations().find("polynorm");
    REQUIRE(info != nullptr);
    for (const auto& [rows, width] : {std::pair<int64_t, int64_t>{40, 5632}, {2, 32768}})
        for (bool gated : {false, true})
            for (DType t : kStorages) {
                const int order = 3;
                const Tensor x = described({rows, gated ? 2 * width : width}, t),
                             y = described({rows, width}, t),
                             a = described({info->coefficients(order)}, DType::kF32),
                             rstd = described({rows, order}, DType::kF32);
                INFO(rows << " x " << width << (gated ? " gated " : " ") << name_of(t));
                CHECK(excess(device, ActivationForward{info, order, gated, x, a, y, rstd}) <=
                      kMost);
                if (t == DType::kF32 && width > 16384) continue;  // read twice past what fits
                CHECK(excess(device, ActivationBackward{
                                         info, order, gated, x, a, rstd, y, x, a, {}}) <= kMost);
            }
}

TEST_CASE("traffic: adamw") {
    const CountedDevice device;
    for (DType stored : kStorages) {
        AdamW op;
        op.weight = described({200003}, stored);
        op.gradient = op.m = op.v = described({200003}, DType::kF32);
        if (stored == DType::kBf16) op.remainder = described({200003}, DType::kI16);
        CHECK(excess(device, op) <= kMost);
    }
}
