#include "kernels/cpu/products.hpp"

#include <omp.h>

#include <array>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "core/checked.hpp"

namespace polytrain::cpu {
namespace {

// What decides a oneDNN primitive: sizes, strides, accumulation, types of factors and result.
using PrimitiveKey = std::array<int64_t, 11>;

PrimitiveKey key_of(const Product& p) {
    return {p.rows,
            p.columns,
            p.inner,
            p.a.row_stride,
            p.a.column_stride,
            p.b.row_stride,
            p.b.column_stride,
            p.c.row_stride,
            p.add,
            static_cast<int64_t>(p.a.dtype),
            static_cast<int64_t>(p.c.dtype)};
}

struct Primitive {
    dnnl::matmul primitive;
    dnnl::memory::desc a, b, c, scratchpad;
};

dnnl::memory::desc describe(int64_t rows, int64_t columns, const Matrix& x) {
    using dnnl::memory;
    return memory::desc({rows, columns},
                        x.dtype == DType::kBf16 ? memory::data_type::bf16 : memory::data_type::f32,
                        memory::dims{x.row_stride, x.column_stride});
}

Primitive make_primitive(const Product& p, const dnnl::engine& engine) {
    Primitive made;
    made.a = describe(p.rows, p.inner, p.a);
    made.b = describe(p.inner, p.columns, p.b);
    made.c = describe(p.rows, p.columns, p.c);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (p.add) {
        dnnl::post_ops sum;
        sum.append_sum(1.0f);
        attributes.set_post_ops(sum);
    }
    const dnnl::matmul::primitive_desc description =
#if DNNL_VERSION_MAJOR >= 3
        dnnl::matmul::primitive_desc(engine, made.a, made.b, made.c, attributes);
#else
        dnnl::matmul::primitive_desc(dnnl::matmul::desc(made.a, made.b, made.c), attributes,
                                     engine);
#endif
    made.scratchpad = description.scratchpad_desc();
    made.primitive = dnnl::matmul(description);
    return made;
}

// oneDNN's threads are libgomp's; one each for our own threads.
void use_one_thread() {
    thread_local bool done = false;
    if (!done) omp_set_num_threads(1);
    done = true;
}

bool is_amd() {
#if defined(__x86_64__)
    return __builtin_cpu_is("amd") != 0;
#else
    return false;
#endif
}

// oneDNN's numbers are sets of bits: that of AVX2-VNNI is above that of AVX-512.
bool has_isa(dnnl::cpu_isa wanted) {
    const auto bits = static_cast<unsigned>(wanted);
    return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

}  // namespace

Grid::Grid(int64_t row_count, int64_t column_count)
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

Product Grid::part(const Product& p, int64_t part) const {
    const int64_t row = part / columns.parts(), column = part % columns.parts();
    const int64_t r = rows.begin(row), c = columns.begin(column);
    return {rows.end(row) - r, columns.end(column) - c, p.inner, p.a.from(r, 0),
            p.b.from(0, c),    p.c.from(r, c),          p.add};
}

struct Products::Impl {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    std::vector<dnnl::stream> streams;  // one for each thread
    std::mutex mutex;
    std::map<PrimitiveKey, Primitive> primitives;

    const Primitive& primitive(const Product& p) {
        const PrimitiveKey key = key_of(p);
        std::lock_guard lock(mutex);
        const auto found = primitives.find(key);
        if (found != primitives.end()) return found->second;
        use_one_thread();
        return primitives.emplace(key, make_primitive(p, engine)).first->second;
    }
};

Products::Products(int threads) : impl_(std::make_unique<Impl>()) {
    for (int i = 0; i < threads; ++i) impl_->streams.emplace_back(impl_->engine);
}
Products::~Products() = default;

bool Products::has_bf16() {
    return has_isa(dnnl::cpu_isa::avx512_core);
}

bool Products::has_bf16_instructions() {
    return has_isa(dnnl::cpu_isa::avx512_core_bf16);
}

bool Products::has_fast_bf16() {
    return has_isa(dnnl::cpu_isa::avx512_core_amx) || (has_bf16_instructions() && is_amd());
}

size_t Products::scratchpad_bytes(const Product& p) {
    return static_cast<size_t>(
        round_up(static_cast<int64_t>(impl_->primitive(p).scratchpad.get_size()), 64));
}

size_t Products::scratchpad_bytes(const Product& p, const Grid& grid) {
    size_t bytes = 0;  // of the corners, which have all the sizes
    for (int64_t row : {int64_t{0}, grid.rows.parts() - 1})
        for (int64_t column : {int64_t{0}, grid.columns.parts() - 1})
            bytes = std::max(bytes,
                             scratchpad_bytes(grid.part(p, row * grid.columns.parts() + column)));
    return bytes;
}

void Products::run(const Product& p, int thread, std::byte* scratchpad) {
    use_one_thread();
    const Primitive& made = impl_->primitive(p);
    const dnnl::engine& engine = impl_->engine;
    made.primitive.execute(impl_->streams[static_cast<size_t>(thread)],
                           {{DNNL_ARG_SRC, {made.a, engine, p.a.data}},
                            {DNNL_ARG_WEIGHTS, {made.b, engine, p.b.data}},
                            {DNNL_ARG_DST, {made.c, engine, p.c.data}},
                            {DNNL_ARG_SCRATCHPAD, {made.scratchpad, engine, scratchpad}}});
}

}  // namespace polytrain::cpu
