// Matrix products: "cpu" by products of our own (gemm.hpp), "onednn" by oneDNN, for which a product
// is cut into a grid of parts that depends on its shape alone, each computed by one thread.

#include "ops/linear.hpp"

#include <cstring>
#include <type_traits>

#include "kernels/cpu/gemm.hpp"
#include "kernels/cpu/register.hpp"

namespace polytrain::cpu {
namespace {

Product product_of(const LinearForward& op) {
    const int64_t in = op.x_NI.dim(1), out = op.w_OI.dim(0);
    return {op.x_NI.dim(0), out, in, {op.x_NI, in, 1}, {op.w_OI, 1, in}, {op.y_NO, out, 1}};
}

Product product_of(const LinearBackwardInput& op) {
    const int64_t in = op.w_OI.dim(1), out = op.w_OI.dim(0);
    return {op.dy_NO.dim(0), in, out, {op.dy_NO, out, 1}, {op.w_OI, in, 1}, {op.dx_NI, in, 1}};
}

Product product_of(const LinearBackwardWeight& op) {
    const int64_t in = op.x_NI.dim(1), out = op.dy_NO.dim(1);
    return {out, in, op.dy_NO.dim(0), {op.dy_NO, 1, out}, {op.x_NI, in, 1}, {op.dw_OI, in, 1},
            true};
}

size_t per_thread_bytes(Products& products, const Product& p) {
    if (p.rows == 0 || p.columns == 0 || p.inner == 0) return 0;
    return products.scratchpad_bytes(p, Grid(p.rows, p.columns));
}

// A sum over nothing.
void zero_unless_added(const Product& p) {
    if (!p.add)
        for (int64_t r = 0; r < p.rows; ++r)
            std::memset(p.c.from(r, 0).data, 0,
                        static_cast<size_t>(p.columns) * size_of(p.c.dtype));
}

void run(Products& products, ThreadPool& pool, const Product& p, const Tensor& scratch) {
    if (p.rows == 0 || p.columns == 0) return;
    if (p.inner == 0) return zero_unless_added(p);
    const Grid grid(p.rows, p.columns);
    const size_t bytes = per_thread_bytes(products, p);  // makes the primitives, before the threads
    pool.run(grid.parts(), [&](int64_t part, int thread) {
        products.run(grid.part(p, part), thread,
                     static_cast<std::byte*>(scratch.data) + static_cast<size_t>(thread) * bytes);
    });
}

template <class Op>
void add_products(OpTable& table, Tensor Op::*storage, ThreadPool& pool,
                  const std::shared_ptr<Products>& products) {
    add_onednn<Op>(
        table, storage,
        [&pool, products](const Op& op) { run(*products, pool, product_of(op), op.scratch); },
        [&pool, products](const Op& op) {
            return per_thread_bytes(*products, product_of(op)) *
                   static_cast<size_t>(pool.threads());
        });
}

// Implementation "cpu", by a product of our own: in f32 for the gradients of weights alone. These
// sum over so many rows that packing counts, which oneDNN does anew for each part.
template <class Op>
void add_own_product(OpTable& table, Tensor Op::*storage, ThreadPool& pool) {
    add_gemm<Op>(
        table, storage, std::is_same_v<Op, LinearBackwardWeight>,
        [&pool](const Op& op) {
            const Product p = product_of(op);
            if (p.inner == 0) return zero_unless_added(p);
            Gemm(pool).run({&p, 1}, op.scratch.data);
        },
        [&pool](const Op& op) {
            const Product p = product_of(op);
            return Gemm(pool).scratch_bytes(Gemm::packed_elements(p), p.inner);
        });
}

}  // namespace

void register_linear(OpTable& table, ThreadPool& pool) {
    // The table's three entries share it: one cache of primitives.
    const auto products = std::make_shared<Products>(pool.threads());
    const auto add = [&](auto storage) {
        add_own_product(table, storage, pool);
        add_products(table, storage, pool, products);
    };
    add(&LinearForward::x_NI);
    add(&LinearBackwardInput::dy_NO);
    add(&LinearBackwardWeight::dy_NO);
}

}  // namespace polytrain::cpu
