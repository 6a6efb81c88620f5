#pragma once
// What a device does with ops of given shapes: bandwidth, products' speed, and the same bits twice.

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ops/op_table.hpp"

namespace polytrain::bench {

struct Bench {
    std::unique_ptr<Backend> backend;
    OpTable ops;
    Stream stream;
    double least_seconds = 0.02;  // that a timing takes, or more
    std::string only;             // ops whose names have this are timed
    nlohmann::ordered_json results = nlohmann::ordered_json::array();

    explicit Bench(std::unique_ptr<Backend> device) : backend(std::move(device)), stream(*backend) {
        backend->register_ops(ops);
    }
    void force(const std::string& op, const std::string& implementation) {
        ops.force(op, implementation);
    }
};

// Sizes of the paper's 1.3 B model (and of the experts of its 7 B one), of configs/bench for CPUs,
// or so small that the emulator has them in seconds.
struct Sizes {
    int64_t sequences = 4, time = 4096, width = 2048, heads = 16, hidden = 8256, gated = 5504;
    int64_t vocabulary = 32000, parameters = int64_t{1} << 27;
    int64_t experts = 8, expert_rows = 4096, expert_hidden = 1536;
    DType storage = DType::kBf16;
    int64_t head_rows = 0;     // that logits are made of at once; 0: rows()
    int64_t memory_bytes = 0;  // of a memory-bound op's tensors, at least

    Tensor stored(Shape shape) const { return {nullptr, shape, storage, {}}; }
    int64_t rows() const { return sequences * time; }
    // So many that they come from memory, not from a cache.
    int64_t memory_rows(int64_t columns) const {
        return std::max(rows(), memory_bytes / (columns * static_cast<int64_t>(size_of(storage))));
    }
};
inline Sizes cpu_sizes() {
    Sizes sizes{8, 512, 384, 6, 1536, 1024, 8192, int64_t{1} << 26, 16, 1024, 384};
    sizes.head_rows = 1024;
    sizes.memory_bytes = int64_t{512} << 20;
    return sizes;
}
inline Sizes tiny_sizes() {
    return {1, 32, 64, 2, 72, 40, 96, 4096, 2, 8, 48};
}

// Each adds to bench.results an object for each op.
void bench_memory_bound(Bench& bench, const Sizes& sizes);
void bench_products(Bench& bench, const Sizes& sizes);
void bench_attention(Bench& bench, const Sizes& sizes);

// Ops with sums, twice from the same inputs, of whose results every bit must be the same.
void repeat_ops(Bench& bench, const Sizes& sizes);

}  // namespace polytrain::bench
