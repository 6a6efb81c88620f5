#pragma once
// Matrix products of our own on vector lanes: factors are packed into panels that the inner loop
// reads front to back, converted from bf16 on the way, so that strides don't matter and bf16 has
// the speed of f32 where the processor has no fast products of it. Sums are f32 and run over the
// inner index in its order, so the bits follow from a result's own row and column.

#include <span>

#include "core/checked.hpp"
#include "kernels/cpu/products.hpp"

namespace polytrain::cpu {

class Gemm {
  public:
    explicit Gemm(ThreadPool& pool) : pool_(pool) {}

    // Whether the inner loop is made for this processor's registers (AVX-512); it runs on all.
    static bool is_fast();

    // Computes all products, which may share factors but no element of a result; where inner is 0
    // nothing is written. A result that is added to must be f32, one of bf16 is rounded once.
    // `scratch` has scratch_bytes().
    void run(std::span<const Product> products, void* scratch) const;
    // For products whose second factors have so many packed_elements() in all, with inner sizes up
    // to `inner`.
    size_t scratch_bytes(int64_t elements, int64_t inner) const;
    static int64_t packed_elements(const Product& p) {
        return round_up(p.columns, kColumnUnit) * p.inner;
    }
    static constexpr int64_t kColumnUnit = 32;

  private:
    ThreadPool& pool_;
};

// Implementation "cpu" of an op whose products are these: for bf16 where oneDNN has no fast ones,
// and for f32 if `takes_f32`.
template <class Op>
void add_gemm(OpTable& table, Tensor Op::*storage, bool takes_f32,
              std::function<void(const Op&)> run, std::function<size_t(const Op&)> scratch_bytes) {
    table.add<Op>({"cpu",
                   [storage, takes_f32](const Op& op) {
                       const DType dtype = (op.*storage).dtype;
                       return (dtype == DType::kF32 && takes_f32 && Gemm::is_fast()) ||
                              (dtype == DType::kBf16 && !Products::has_fast_bf16());
                   },
                   [run = std::move(run)](const Op& op, const Stream&) { run(op); },
                   std::move(scratch_bytes)});
}

}  // namespace polytrain::cpu
