#pragma once
// An op with memory of its own, timed.

#include <cstring>
#include <vector>

#include "core/bf16.hpp"
#include "op_bench/bench.hpp"
#include "tensor/timing.hpp"

namespace polytrain::bench {

inline Tensor described(Shape shape, DType dtype) {
    return {nullptr, shape, dtype, {}};
}

// Gives each tensor of `op` memory: inputs of pseudo-random numbers about 0, of size 1, but for
// those of whole numbers and those that `op` has already.
template <class Op>
class OnDevice {
  public:
    OnDevice(const Bench& bench, const Op& described_op) : bench_(bench), op(described_op) {
        uint64_t seed = 1;
        Op::tensors([&](std::string_view, Tensor Op::*member, Role role) {
            Tensor& tensor = op.*member;
            if (tensor.present()) return;
            if (role == Role::kScratch)
                tensor = described({static_cast<int64_t>(bench.ops.scratch_bytes(op))}, DType::kU8);
            if (tensor.elements() == 0 && role != Role::kScratch) return;
            tensor.data = memory_.emplace_back(*bench.backend, tensor.bytes()).data();
            if (role != Role::kScratch) fill(tensor, ++seed);
        });
    }
    void run() const { bench_.ops.run(op, bench_.stream); }

    // The bytes of all that the op writes.
    std::vector<std::byte> results() const {
        std::vector<std::byte> all;
        Op::tensors([&](std::string_view, Tensor Op::*member, Role role) {
            const Tensor& tensor = op.*member;
            if (role == Role::kInput || role == Role::kScratch || !tensor.present()) return;
            const size_t begin = all.size();
            all.resize(begin + tensor.bytes());
            bench_.stream.download(all.data() + begin, tensor, tensor.bytes());
        });
        return all;
    }
    // Every tensor read or written once; twice what is updated.
    double fewest_bytes() const {
        double bytes = 0;
        Op::tensors([&](std::string_view, Tensor Op::*member, Role role) {
            if (role == Role::kScratch || !(op.*member).present()) return;
            bytes += static_cast<double>((op.*member).bytes()) *
                     (role == Role::kUpdate || role == Role::kSum ? 2 : 1);
        });
        return bytes;
    }

  private:
    void fill(const Tensor& tensor, uint64_t seed) const {
        // One block of numbers, over and over: all that matters is that they are no zeros.
        constexpr size_t kBlock = 4093;
        std::vector<float> numbers(kBlock);
        for (float& number : numbers) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            number = static_cast<float>(static_cast<double>(seed >> 33) / 1073741824.0 - 1.0);
        }
        std::vector<std::byte> bytes(tensor.bytes());
        for (size_t i = 0; i < static_cast<size_t>(tensor.elements()); ++i) {
            const float number = numbers[i % kBlock];
            if (tensor.dtype == DType::kF32)
                std::memcpy(&bytes[4 * i], &number, 4);
            else if (tensor.dtype == DType::kBf16)
                reinterpret_cast<Bf16*>(bytes.data())[i] = Bf16(number);
        }
        bench_.stream.upload(tensor, bytes.data(), bytes.size());
    }

    const Bench& bench_;
    std::vector<Buffer> memory_;

  public:
    Op op;
};

// Adds the op's time to the results, unless it is left out; with `flops` as the speed of products,
// else as bandwidth.
template <class Op>
void time_op(Bench& bench, const std::string& name, const Op& described_op, double flops = 0) {
    if (name.find(bench.only) == std::string::npos) return;
    const OnDevice<Op> prepared(bench, described_op);
    const double seconds = seconds_of(bench.stream, bench.least_seconds, [&] { prepared.run(); });
    nlohmann::ordered_json result{{"op", name},
                                  {"implementation", bench.ops.choice(prepared.op)},
                                  {"milliseconds", 1e3 * seconds}};
    if (flops > 0)
        result["tflop_per_s"] = flops / seconds * 1e-12;
    else
        result["gb_per_s"] = prepared.fewest_bytes() / seconds * 1e-9;
    bench.results.push_back(result);
}

}  // namespace polytrain::bench
