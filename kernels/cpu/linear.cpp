// Matrix products by oneDNN. Each product is cut into a grid of parts that depends on its shape
// alone, and oneDNN computes every part with one thread: its own threading may split a sum by the
// number of threads, and then the bits would depend on it.

#include "ops/linear.hpp"

#include <omp.h>

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "core/checked.hpp"
#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

namespace polytrain::cpu {
namespace {

// A matrix in memory, f32 or bf16; strides in elements.
struct Matrix {
    std::byte* data;
    DType dtype;
    int64_t row_stride, column_stride;

    // Null data is fine: scratch is planned before there is memory.
    Matrix(const Tensor& tensor, int64_t row, int64_t column)
        : data(static_cast<std::byte*>(tensor.data)),
          dtype(tensor.dtype),
          row_stride(row),
          column_stride(column) {}
    std::byte* at(int64_t row, int64_t column) const {
        return data +
               (row * row_stride + column * column_stride) * static_cast<int64_t>(size_of(dtype));
    }
};

// c[rows, columns] = a[rows, inner] b[inner, columns], added to c when `add`.
struct Product {
    int64_t rows, columns, inner;
    Matrix a, b, c;
    bool add = false;
};

// The grid that a product of this size is cut into: tiles of at least 64 x 64, halved along the
// longer side until there are enough parts for many cores.
struct Grid {
    Partition rows, columns;

    Grid(int64_t row_count, int64_t column_count)
        : rows{row_count, std::max<int64_t>(1, row_count)},
          columns{column_count, std::max<int64_t>(1, column_count)} {
        constexpr int64_t kLeast = 64;
        const int64_t wanted = std::clamp<int64_t>(row_count * column_count / 65536, 8, 64);
        while (parts() < wanted) {
            Partition& longer = rows.grain >= columns.grain ? rows : columns;
            if (longer.grain < 2 * kLeast) break;
            longer.grain = round_up(ceil_div(longer.grain, 2), 16);
        }
    }
    int64_t parts() const { return rows.parts() * columns.parts(); }
};

// What decides a oneDNN primitive: tile shape, strides, accumulation, types of factors and result.
using PrimitiveKey = std::array<int64_t, 11>;

struct Primitive {
    dnnl::matmul primitive;
    dnnl::memory::desc a, b, c, scratchpad;
};

// oneDNN's threads are libgomp's; one each for our own threads.
void use_one_thread() {
    thread_local bool done = false;
    if (!done) omp_set_num_threads(1);
    done = true;
}

class Products {
  public:
    explicit Products(ThreadPool& pool)
        : pool_(pool),
          engine_(dnnl::engine::kind::cpu, 0),
          has_bf16_(dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core) {
        for (int i = 0; i < pool.threads(); ++i) streams_.emplace_back(engine_);
    }

    // oneDNN multiplies bf16 on processors with AVX-512 alone.
    bool has_bf16() const { return has_bf16_; }

    size_t scratch_bytes(const Product& p) {
        return per_thread_bytes(p) * static_cast<size_t>(pool_.threads());
    }

    void run(const Product& p, const Tensor& scratch) {
        if (p.rows == 0 || p.columns == 0) return;
        if (p.inner == 0) return zero_unless_added(p);
        const Grid grid(p.rows, p.columns);
        const size_t bytes = per_thread_bytes(p);  // also makes the primitives, before the threads
        pool_.run(grid.parts(), [&](int64_t part, int thread) {
            use_one_thread();
            const int64_t row = part / grid.columns.parts(), column = part % grid.columns.parts();
            const int64_t r = grid.rows.begin(row), c = grid.columns.begin(column);
            const Primitive& tile =
                primitive(p, grid.rows.end(row) - r, grid.columns.end(column) - c);
            auto* scratchpad =
                static_cast<std::byte*>(scratch.data) + static_cast<size_t>(thread) * bytes;
            tile.primitive.execute(streams_[static_cast<size_t>(thread)],
                                   {{DNNL_ARG_SRC, {tile.a, engine_, p.a.at(r, 0)}},
                                    {DNNL_ARG_WEIGHTS, {tile.b, engine_, p.b.at(0, c)}},
                                    {DNNL_ARG_DST, {tile.c, engine_, p.c.at(r, c)}},
                                    {DNNL_ARG_SCRATCHPAD, {tile.scratchpad, engine_, scratchpad}}});
        });
    }

  private:
    // Bytes of oneDNN's scratchpad for the largest tile, rounded up to a cache line.
    size_t per_thread_bytes(const Product& p) {
        if (p.rows == 0 || p.columns == 0 || p.inner == 0) return 0;
        const Grid grid(p.rows, p.columns);
        size_t bytes = 0;
        for (int64_t r : {int64_t{0}, grid.rows.parts() - 1})
            for (int64_t c : {int64_t{0}, grid.columns.parts() - 1})
                bytes = std::max(bytes, primitive(p, grid.rows.end(r) - grid.rows.begin(r),
                                                  grid.columns.end(c) - grid.columns.begin(c))
                                            .scratchpad.get_size());
        return static_cast<size_t>(round_up(static_cast<int64_t>(bytes), 64));
    }

    const Primitive& primitive(const Product& p, int64_t rows, int64_t columns) {
        const PrimitiveKey key{rows,
                               columns,
                               p.inner,
                               p.a.row_stride,
                               p.a.column_stride,
                               p.b.row_stride,
                               p.b.column_stride,
                               p.c.row_stride,
                               p.add,
                               static_cast<int64_t>(p.a.dtype),
                               static_cast<int64_t>(p.c.dtype)};
        std::lock_guard lock(mutex_);
        const auto found = primitives_.find(key);
        if (found != primitives_.end()) return *found->second;
        use_one_thread();
        using dnnl::memory;
        const auto describe = [](int64_t m, int64_t n, const Matrix& x) {
            return memory::desc(
                {m, n}, x.dtype == DType::kBf16 ? memory::data_type::bf16 : memory::data_type::f32,
                memory::dims{x.row_stride, x.column_stride});
        };
        auto made = std::make_unique<Primitive>();
        made->a = describe(rows, p.inner, p.a);
        made->b = describe(p.inner, columns, p.b);
        made->c = describe(rows, columns, p.c);
        dnnl::primitive_attr attributes;
        attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
        if (p.add) {
            dnnl::post_ops sum;
            sum.append_sum(1.0f);
            attributes.set_post_ops(sum);
        }
        const dnnl::matmul::primitive_desc description =
#if DNNL_VERSION_MAJOR >= 3
            dnnl::matmul::primitive_desc(engine_, made->a, made->b, made->c, attributes);
#else
            dnnl::matmul::primitive_desc(dnnl::matmul::desc(made->a, made->b, made->c), attributes,
                                         engine_);
#endif
        made->scratchpad = description.scratchpad_desc();
        made->primitive = dnnl::matmul(description);
        return *primitives_.emplace(key, std::move(made)).first->second;
    }

    // A sum over nothing.
    static void zero_unless_added(const Product& p) {
        if (!p.add)
            for (int64_t r = 0; r < p.rows; ++r)
                std::memset(p.c.at(r, 0), 0, static_cast<size_t>(p.columns) * size_of(p.c.dtype));
    }

    ThreadPool& pool_;
    dnnl::engine engine_;
    bool has_bf16_;
    std::vector<dnnl::stream> streams_;  // one for each thread of the pool
    std::mutex mutex_;
    std::map<PrimitiveKey, std::unique_ptr<Primitive>> primitives_;
};

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

template <class Op>
void add_products(OpTable& table, Tensor Op::*storage, const std::shared_ptr<Products>& products) {
    Implementation<Op> implementation;
    implementation.name = "onednn";
    implementation.applies = [storage, products](const Op& op) {
        const DType dtype = (op.*storage).dtype;
        return dtype == DType::kF32 || (dtype == DType::kBf16 && products->has_bf16());
    };
    implementation.run = [products](const Op& op, const Stream&) {
        products->run(product_of(op), op.scratch);
    };
    implementation.scratch_bytes = [products](const Op& op) {
        return products->scratch_bytes(product_of(op));
    };
    table.add(std::move(implementation));
}

}  // namespace

void register_linear(OpTable& table, ThreadPool& pool) {
    // The table's three entries share it: one cache of primitives.
    const auto products = std::make_shared<Products>(pool);
    add_products(table, &LinearForward::x_NI, products);
    add_products(table, &LinearBackwardInput::dy_NO, products);
    add_products(table, &LinearBackwardWeight::dy_NO, products);
}

}  // namespace polytrain::cpu
