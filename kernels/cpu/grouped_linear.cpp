// Products of groups of rows: "cpu" by products of our own (gemm.hpp), "onednn" by oneDNN. For the
// latter a group's rows are cut into blocks of few sizes, since their number changes with every
// step and oneDNN wants a primitive for each size: 256 rows, then 128, 64, 32 and 16, then what is
// left beside rows of zeros in scratch. Columns are cut by the matrices' shape. So a group's bits
// follow from its own rows, and all groups' blocks are the parts of one loop over threads.

#include "ops/grouped_linear.hpp"

#include <bit>
#include <cstring>

#include "core/checked.hpp"
#include "kernels/common/groups.hpp"
#include "kernels/cpu/gemm.hpp"
#include "kernels/cpu/register.hpp"

namespace polytrain::cpu {
namespace {

constexpr int64_t kMostRows = 256, kLeastRows = 16;

int64_t blocks_of(int64_t rows) {
    const auto halves = static_cast<uint64_t>(rows % kMostRows / kLeastRows);
    return rows / kMostRows + std::popcount(halves) + (rows % kLeastRows != 0);
}

// The rows of the block that begins where `left` rows are left, fewer than kLeastRows at the end.
int64_t block_rows(int64_t left) {
    if (left < kLeastRows) return left;
    return std::min(kMostRows, static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(left))));
}

// Columns in parts of about 256.
Partition column_parts(int64_t columns) {
    constexpr int64_t kColumns = 256;
    return {columns, round_up(ceil_div(columns, ceil_div(columns, kColumns)), 16)};
}

// A thread's scratch: oneDNN's, then kLeastRows rows of each of two matrices.
struct ThreadScratch {
    size_t pad, first, second;  // bytes
    std::byte* data = nullptr;

    ThreadScratch(size_t scratchpad, const Matrix& a, int64_t a_width, const Matrix& b,
                  int64_t b_width)
        : pad(scratchpad), first(row_bytes(a, a_width)), second(row_bytes(b, b_width)) {}
    static size_t row_bytes(const Matrix& x, int64_t width) {
        return static_cast<size_t>(
            round_up(kLeastRows * width * static_cast<int64_t>(size_of(x.dtype)), 64));
    }
    size_t bytes() const { return pad + first + second; }
    ThreadScratch of(const Tensor& scratch, int thread) const {
        ThreadScratch own = *this;
        own.data =
            static_cast<std::byte*>(scratch.data) + static_cast<size_t>(thread) * own.bytes();
        return own;
    }
    std::byte* first_rows() const { return data + pad; }
    std::byte* second_rows() const { return data + pad + first; }
};

// Copies columns [begin, end) of `rows` rows of `width` elements to the same place of other rows.
void copy_rows(const std::byte* from, std::byte* to, int64_t rows, int64_t width, int64_t begin,
               int64_t end, DType dtype) {
    const auto size = static_cast<int64_t>(size_of(dtype));
    for (int64_t r = 0; r < rows; ++r)
        std::memcpy(to + (r * width + begin) * size, from + (r * width + begin) * size,
                    static_cast<size_t>((end - begin) * size));
}
void zero_rows(std::byte* to, int64_t rows, int64_t width, DType dtype) {
    std::memset(to, 0, static_cast<size_t>(rows * width) * size_of(dtype));
}

// c_r = a_r b[g mod matrices] for the rows r of each group g.
struct RowProduct {
    Product p;  // of kMostRows rows from row 0 on, with the first matrix
    int64_t matrices;

    int64_t matrix_elements() const { return p.inner * p.columns; }
};

RowProduct product_of(const GroupedLinearForward& op) {
    const int64_t in = op.w_EOI.dim(2), out = op.w_EOI.dim(1);
    return {{kMostRows, out, in, {op.x_RI, in, 1}, {op.w_EOI, 1, in}, {op.y_RO, out, 1}},
            op.w_EOI.dim(0)};
}
RowProduct product_of(const GroupedLinearBackwardInput& op) {
    const int64_t in = op.w_EOI.dim(2), out = op.w_EOI.dim(1);
    return {{kMostRows, in, out, {op.dy_RO, out, 1}, {op.w_EOI, in, 1}, {op.dx_RI, in, 1}},
            op.w_EOI.dim(0)};
}

ThreadScratch scratch_of(Products& products, const RowProduct& product) {
    Product p = product.p;
    size_t bytes = 0;
    if (p.columns > 0 && p.inner > 0) {
        const Partition columns = column_parts(p.columns);
        for (int64_t part : {int64_t{0}, columns.parts() - 1})
            for (p.rows = kMostRows; p.rows >= kLeastRows; p.rows /= 2) {
                p.columns = columns.end(part) - columns.begin(part);
                bytes = std::max(bytes, products.scratchpad_bytes(p));
            }
    }
    return {bytes, p.a, p.inner, p.c, product.p.columns};
}

// Columns [begin, end) of block number `block` of the rows [first, last) of a group with matrix e.
void run_block(Products& products, const RowProduct& product, int64_t e, int64_t first,
               int64_t last, int64_t block, int64_t begin, int64_t end, const ThreadScratch& own,
               int thread) {
    for (; block > 0; --block) first += block_rows(last - first);
    const int64_t rows = block_rows(last - first);
    const int64_t inner = product.p.inner, width = product.p.columns;
    Product p = product.p;
    p.rows = std::max(rows, kLeastRows);
    p.columns = end - begin;
    p.a = p.a.from(first, 0);
    p.b = p.b.moved(e * product.matrix_elements()).from(0, begin);
    std::byte* result = p.c.from(first, 0).data;
    if (rows == p.rows) {
        p.c = p.c.from(first, begin);
        return products.run(p, thread, own.data);
    }
    zero_rows(own.first_rows(), kLeastRows, inner, p.a.dtype);
    copy_rows(p.a.data, own.first_rows(), rows, inner, 0, inner, p.a.dtype);
    p.a.data = own.first_rows();
    p.c.data = own.second_rows();
    p.c = p.c.from(0, begin);
    products.run(p, thread, own.data);
    copy_rows(own.second_rows(), result, rows, width, begin, end, p.c.dtype);
}

void run_rows(Products& products, ThreadPool& pool, const RowProduct& product,
              const int64_t* offsets, int64_t groups, const Tensor& scratch) {
    const int64_t rows = offsets[groups];
    if (rows == 0 || product.p.columns == 0) return;
    if (product.p.inner == 0)  // a sum over nothing
        return zero_rows(product.p.c.data, rows, product.p.columns, product.p.c.dtype);
    const ThreadScratch layout = scratch_of(products, product);
    const Partition columns = column_parts(product.p.columns);
    int64_t blocks = 0;
    for (int64_t g = 0; g < groups; ++g) blocks += blocks_of(offsets[g + 1] - offsets[g]);
    pool.run(blocks * columns.parts(), [&](int64_t part, int thread) {
        int64_t block = part / columns.parts(), g = 0;
        const int64_t column = part % columns.parts();
        for (;; ++g) {
            const int64_t own = blocks_of(offsets[g + 1] - offsets[g]);
            if (block < own) break;
            block -= own;
        }
        run_block(products, product, g % product.matrices, offsets[g], offsets[g + 1], block,
                  columns.begin(column), columns.end(column), layout.of(scratch, thread), thread);
    });
}

// The product of one block of kMostRows rows for the first gradient.
Product product_of(const GroupedLinearBackwardWeight& op) {
    const int64_t in = op.dw_DOI.dim(2), out = op.dw_DOI.dim(1);
    return {out, in, kMostRows, {op.dy_RO, 1, out}, {op.x_RI, in, 1}, {op.dw_DOI, in, 1}, true};
}

ThreadScratch scratch_of(Products& products, const GroupedLinearBackwardWeight& op) {
    Product p = product_of(op);
    size_t bytes = 0;
    if (p.rows > 0 && p.columns > 0)
        for (; p.inner >= kLeastRows; p.inner /= 2)
            bytes = std::max(bytes, products.scratchpad_bytes(p, Grid(p.rows, p.columns)));
    return {bytes, p.a, p.rows, p.b, p.columns};
}

// Adds to one part of one gradient what the rows [first, last) of a group give.
void add_group(Products& products, const Product& whole, const Grid& grid, int64_t part,
               int64_t first, int64_t last, const ThreadScratch& own, int thread) {
    const int64_t out = whole.rows, in = whole.columns;
    const Partition &os = grid.rows, &is = grid.columns;
    const int64_t o = part / is.parts(), i = part % is.parts();
    for (int64_t rows; first < last; first += rows) {
        rows = block_rows(last - first);
        Product p = whole;
        p.inner = std::max(rows, kLeastRows);
        p.a = p.a.from(0, first);
        p.b = p.b.from(first, 0);
        if (rows < p.inner) {
            zero_rows(own.first_rows(), kLeastRows, out, p.a.dtype);
            zero_rows(own.second_rows(), kLeastRows, in, p.b.dtype);
            copy_rows(p.a.data, own.first_rows(), rows, out, os.begin(o), os.end(o), p.a.dtype);
            copy_rows(p.b.data, own.second_rows(), rows, in, is.begin(i), is.end(i), p.b.dtype);
            p.a.data = own.first_rows();
            p.b.data = own.second_rows();
        }
        products.run(grid.part(p, part), thread, own.data);
    }
}

void run_weight(Products& products, ThreadPool& pool, const GroupedLinearBackwardWeight& op) {
    const int64_t* offsets = checked_offsets(op.kName, op.offsets_G, op.x_RI.dim(0));
    const int64_t groups = op.offsets_G.dim(0) - 1, gradients = op.dw_DOI.dim(0);
    const Product whole = product_of(op);
    if (offsets[groups] == 0 || whole.rows == 0 || whole.columns == 0) return;
    const ThreadScratch layout = scratch_of(products, op);
    const Grid grid(whole.rows, whole.columns);
    pool.run(gradients * grid.parts(), [&](int64_t task, int thread) {
        const int64_t d = task / grid.parts();
        Product p = whole;
        p.c = p.c.moved(d * p.rows * p.columns);
        for (int64_t g = d; g < groups; g += gradients)
            add_group(products, p, grid, task % grid.parts(), offsets[g], offsets[g + 1],
                      layout.of(op.scratch, thread), thread);
    });
}

// The products of all groups that have rows.
std::vector<Product> products_of(const RowProduct& product, const int64_t* offsets,
                                 int64_t groups) {
    std::vector<Product> all;
    for (int64_t g = 0; g < groups; ++g) {
        Product p = product.p;
        p.rows = offsets[g + 1] - offsets[g];
        p.a = p.a.from(offsets[g], 0);
        p.b = p.b.moved(g % product.matrices * product.matrix_elements());
        p.c = p.c.from(offsets[g], 0);
        if (p.rows > 0) all.push_back(p);
    }
    return all;
}

// Implementation "cpu", by products of our own.
template <class Op>
void add_own_rows(OpTable& table, Tensor Op::*storage, ThreadPool& pool) {
    add_gemm<Op>(
        table, storage, true,
        [storage, &pool](const Op& op) {
            const int64_t* offsets = checked_offsets(op.kName, op.offsets_G, (op.*storage).dim(0));
            const int64_t groups = op.offsets_G.dim(0) - 1;
            const RowProduct product = product_of(op);
            if (product.p.inner == 0)  // a sum over nothing
                return zero_rows(product.p.c.data, offsets[groups], product.p.columns,
                                 product.p.c.dtype);
            Gemm(pool).run(products_of(product, offsets, groups), op.scratch.data);
        },
        [&pool](const Op& op) {
            const Product p = product_of(op).p;
            return Gemm(pool).scratch_bytes((op.offsets_G.dim(0) - 1) * Gemm::packed_elements(p),
                                            p.inner);
        });
}

void run_own_weight(ThreadPool& pool, const GroupedLinearBackwardWeight& op) {
    const int64_t* offsets = checked_offsets(op.kName, op.offsets_G, op.x_RI.dim(0));
    const int64_t groups = op.offsets_G.dim(0) - 1, gradients = op.dw_DOI.dim(0);
    const Product whole = product_of(op);
    // Those that add to one gradient go one after the other.
    for (int64_t first = 0; first < groups; first += gradients) {
        std::vector<Product> all;
        for (int64_t d = 0; d < gradients && first + d < groups; ++d) {
            Product p = whole;
            p.inner = offsets[first + d + 1] - offsets[first + d];
            p.a = p.a.from(0, offsets[first + d]);
            p.b = p.b.from(offsets[first + d], 0);
            p.c = p.c.moved(d * p.rows * p.columns);
            all.push_back(p);
        }
        Gemm(pool).run(all, op.scratch.data);
    }
}

template <class Op>
void add_rows(OpTable& table, Tensor Op::*storage, ThreadPool& pool,
              const std::shared_ptr<Products>& products) {
    add_onednn<Op>(
        table, storage,
        [storage, &pool, products](const Op& op) {
            const int64_t* offsets = checked_offsets(op.kName, op.offsets_G, (op.*storage).dim(0));
            run_rows(*products, pool, product_of(op), offsets, op.offsets_G.dim(0) - 1, op.scratch);
        },
        [&pool, products](const Op& op) {
            return scratch_of(*products, product_of(op)).bytes() *
                   static_cast<size_t>(pool.threads());
        });
}

}  // namespace

void register_grouped_linear(OpTable& table, ThreadPool& pool) {
    // The table's three entries share it: one cache of primitives.
    const auto products = std::make_shared<Products>(pool.threads());
    add_own_rows(table, &GroupedLinearForward::x_RI, pool);
    add_own_rows(table, &GroupedLinearBackwardInput::dy_RO, pool);
    add_gemm<GroupedLinearBackwardWeight>(
        table, &GroupedLinearBackwardWeight::dy_RO, true,
        [&pool](const GroupedLinearBackwardWeight& op) { run_own_weight(pool, op); },
        [&pool](const GroupedLinearBackwardWeight& op) {
            Product p = product_of(op);
            p.inner = op.x_RI.dim(0);
            return Gemm(pool).scratch_bytes(Gemm::packed_elements(p), p.inner);
        });
    add_rows(table, &GroupedLinearForward::x_RI, pool, products);
    add_rows(table, &GroupedLinearBackwardInput::dy_RO, pool, products);
    add_onednn<GroupedLinearBackwardWeight>(
        table, &GroupedLinearBackwardWeight::dy_RO,
        [&pool, products](const GroupedLinearBackwardWeight& op) {
            run_weight(*products, pool, op);
        },
        [&pool, products](const GroupedLinearBackwardWeight& op) {
            return scratch_of(*products, op).bytes() * static_cast<size_t>(pool.threads());
        });
}

}  // namespace polytrain::cpu
