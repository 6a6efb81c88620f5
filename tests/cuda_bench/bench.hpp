#pragma once
// What a device does with ops of given shapes: bandwidth, products' speed, and the same bits twice.

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
    nlohmann::ordered_json results = nlohmann::ordered_json::array();

    explicit Bench(std::unique_ptr<Backend> device) : backend(std::move(device)), stream(*backend) {
        backend->register_ops(ops);
    }
    void force(const std::string& op, const std::string& implementation) {
        ops.force(op, implementation);
    }
};

// Sizes of the paper's 1.3 B model (and of the experts of its 7 B one), or so small that the
// emulator has them in seconds.
struct Sizes {
    int64_t sequences = 4, time = 4096, width = 2048, heads = 16, hidden = 8256, gated = 5504;
    int64_t vocabulary = 32000, parameters = int64_t{1} << 27;
    int64_t experts = 8, expert_rows = 4096, expert_hidden = 1536;
    int64_t rows() const { return sequences * time; }
};
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
