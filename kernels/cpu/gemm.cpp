// The parts of a product: its columns in stretches whose packed second factor fits a budget; of a
// stretch first the panels are packed, then tasks of some rows by some columns are computed. A task
// packs its rows of the first factor itself, a block of the inner index at a time, and keeps them
// in its core's cache while the other's panels pass by.

#include "kernels/cpu/gemm.hpp"

#include <algorithm>
#include <vector>

#include "core/checked.hpp"

#ifndef POLYTRAIN_KERNELS_CPU_GEMM_ONCE
#define POLYTRAIN_KERNELS_CPU_GEMM_ONCE
namespace polytrain::cpu {

inline constexpr int64_t kTileRows = 12;                    // of a panel of the first factor
inline constexpr int64_t kTileColumns = Gemm::kColumnUnit;  // of a panel of the second
inline constexpr int64_t kTaskRows = 8 * kTileRows;
inline constexpr int64_t kMostTaskColumns = 48 * kTileColumns;
inline constexpr int64_t kPackColumns = 4 * kTileColumns, kPackInner = 256;
// Of a block of the inner index: a panel of each factor fits the first cache.
inline constexpr int64_t kMostInner = 192;

// Rows [row, row + rows) and columns [column, column + columns) of a product whose second factor is
// packed: [columns / kTileColumns][inner][kTileColumns].
struct GemmTask {
    const Product* product;
    int64_t row, rows, column, columns;
    const float* packed;  // from `column` on
};

}  // namespace polytrain::cpu
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/lanes-inl.hpp"
#include "kernels/cpu/panel-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(LaneTag()));
// What the registers hold of a tile: 24 sums of 32 registers, or 8 of 16.
constexpr int kBlockRows = kLanes >= 16 ? 12 : 4;

// The panels of `count` rows or columns of a factor, `to_panel` floats apart.
template <int64_t kWidth, class T>
void pack_panels(const T* from, int64_t stride, int64_t inner_stride, int64_t count, int64_t inner,
                 float* to, int64_t to_panel) {
    int64_t whole = 0;
    if (stride == 1) {  // side by side, so all of a row of memory at once
        whole = count / kWidth;
        constexpr int64_t kAhead = 16;  // rows: the next one is often on another page
        for (int64_t k = 0; k < inner; ++k) {
            const auto* next = reinterpret_cast<const char*>(from + (k + kAhead) * inner_stride);
            const auto bytes = whole * kWidth * static_cast<int64_t>(sizeof(T));
            for (int64_t i = 0; k + kAhead < inner && i < bytes; i += 64) hwy::Prefetch(next + i);
            for (int64_t panel = 0; panel < whole; ++panel)
                for (int64_t j = 0; j < kWidth; j += kQuad)
                    hn::StoreU(load_quad(from + k * inner_stride + panel * kWidth + j), QuadTag(),
                               to + panel * to_panel + k * kWidth + j);
        }
    }
    for (int64_t panel = whole; panel * kWidth < count; ++panel)
        pack_panel<kWidth>(from + panel * kWidth * stride, stride, inner_stride,
                           std::min(kWidth, count - panel * kWidth), inner, to + panel * to_panel);
}

template <int64_t kWidth>
void pack(const Matrix& x, int64_t stride, int64_t inner_stride, int64_t count, int64_t inner,
          float* to, int64_t to_panel) {
    if (x.dtype == DType::kBf16)
        pack_panels<kWidth>(reinterpret_cast<const Bf16*>(x.data), stride, inner_stride, count,
                            inner, to, to_panel);
    else
        pack_panels<kWidth>(reinterpret_cast<const float*>(x.data), stride, inner_stride, count,
                            inner, to, to_panel);
}

// c = a b of a packed tile, or added to c.
HWY_INLINE void block(int64_t inner, const float* HWY_RESTRICT a, const float* HWY_RESTRICT b,
                      float* HWY_RESTRICT c, int64_t c_row, bool add) {
    Lanes sums[kBlockRows][2];
    for (int r = 0; r < kBlockRows; ++r)
        for (int v = 0; v < 2; ++v)
            sums[r][v] = add ? load(c + r * c_row + v * kLanes) : zero_lanes();
    for (int64_t k = 0; k < inner; ++k) {
        const Lanes b0 = load(b), b1 = load(b + kLanes);
        for (int r = 0; r < kBlockRows; ++r) {
            const Lanes a_r(a[r]);
            sums[r][0] = multiply_add(a_r, b0, sums[r][0]);
            sums[r][1] = multiply_add(a_r, b1, sums[r][1]);
        }
        a += kTileRows;
        b += kTileColumns;
    }
    for (int r = 0; r < kBlockRows; ++r)
        for (int v = 0; v < 2; ++v) store(sums[r][v], c + r * c_row + v * kLanes);
}
void whole_tile(int64_t inner, const float* a, const float* b, float* c, int64_t c_row, bool add) {
    for (int64_t column = 0; column < kTileColumns; column += 2 * kLanes)
        for (int64_t row = 0; row < kTileRows; row += kBlockRows)
            block(inner, a + row, b + column, c + row * c_row + column, c_row, add);
}
// At a result's edge, by way of a whole one: the bits of a row don't depend on where it lies.
void part_tile(int64_t inner, const float* a, const float* b, int64_t rows, int64_t columns,
               float* c, int64_t c_row, bool add) {
    float whole[kTileRows * kTileColumns] = {};
    const auto copy = [&](const float* from, int64_t from_row, float* to, int64_t to_row) {
        for (int64_t r = 0; r < rows; ++r)
            std::copy_n(from + r * from_row, columns, to + r * to_row);
    };
    if (add) copy(c, c_row, whole, kTileColumns);
    whole_tile(inner, a, b, whole, kTileColumns, add);
    copy(whole, kTileColumns, c, c_row);
}

}  // namespace

// Packs kPackColumns columns of the second factor, from `column` on, for kPackInner of the inner
// index; `to` is where the first of these panels begins.
void gemm_pack(const Product& p, int64_t column, int64_t k, float* to) {
    pack<kTileColumns>(p.b.from(k, column), p.b.column_stride, p.b.row_stride,
                       std::min(kPackColumns, p.columns - column),
                       std::min(kPackInner, p.inner - k), to + k * kTileColumns,
                       p.inner * kTileColumns);
}

// `rows_packed`: kTaskRows x kMostInner; `sums`: kTaskRows x the task's columns, where the result
// is bf16.
void gemm_task(const GemmTask& task, float* rows_packed, float* sums) {
    const Product& p = *task.product;
    const Matrix to = p.c.from(task.row, task.column);
    const bool is_bf16 = to.dtype == DType::kBf16;
    float* c = is_bf16 ? sums : reinterpret_cast<float*>(to.data);
    const int64_t c_row = is_bf16 ? round_up(task.columns, kTileColumns) : to.row_stride;
    const int64_t step = ceil_div(p.inner, ceil_div(p.inner, kMostInner));
    for (int64_t k = 0; k < p.inner; k += step) {
        const int64_t inner = std::min(step, p.inner - k);
        const bool add = k > 0 || p.add;
        pack<kTileRows>(p.a.from(task.row, k), p.a.row_stride, p.a.column_stride, task.rows, inner,
                        rows_packed, kTileRows * inner);
        for (int64_t j = 0; j < task.columns; j += kTileColumns) {
            const float* b = task.packed + j * p.inner + k * kTileColumns;
            const int64_t columns = std::min(kTileColumns, task.columns - j);
            for (int64_t r = 0; r < task.rows; r += kTileRows) {
                const int64_t rows = std::min(kTileRows, task.rows - r);
                float* tile = c + r * c_row + j;
                if (rows == kTileRows && columns == kTileColumns)
                    whole_tile(inner, rows_packed + r * inner, b, tile, c_row, add);
                else
                    part_tile(inner, rows_packed + r * inner, b, rows, columns, tile, c_row, add);
            }
        }
    }
    if (!is_bf16) return;
    for (int64_t r = 0; r < task.rows; ++r) {
        Bf16* row = reinterpret_cast<Bf16*>(to.data) + r * to.row_stride;
        for_lanes(task.columns, [&](auto access, int64_t j) HWY_ATTR {
            access.write(access.read(c + r * c_row + j), row + j);
        });
    }
}

int64_t gemm_lanes() {
    return kLanes;
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(gemm_pack);
HWY_EXPORT(gemm_task);
HWY_EXPORT(gemm_lanes);

constexpr int64_t kBudget = int64_t{1} << 22;  // floats of packed second factors
// A gradient of weights sums over all rows of two factors, which lie side by side in memory: so
// many rows of both at a time are packed while they are in a cache.
constexpr int64_t kSlab = 3 * kMostInner;
int64_t slab_of(const Product& p) {
    return p.a.row_stride == 1 ? kSlab : p.inner;
}
constexpr int64_t kTaskFloats = kTaskRows * (kMostInner + kMostTaskColumns);

// Columns of a product whose packed second factor has at most kBudget floats, or one panel.
int64_t stretch_columns(int64_t inner) {
    return std::max<int64_t>(1, kBudget / (inner * kTileColumns)) * kTileColumns;
}

// Products that are packed together.
struct Batch {
    struct Entry {
        Product product;
        float* packed;
    };
    std::vector<Entry> entries;
    int64_t floats = 0;
};

// A task's columns: so few that there are enough tasks for many cores.
int64_t task_columns(const Product& p, int64_t others) {
    constexpr int64_t kTasks = 24, kLeastColumns = 4 * kTileColumns;
    const int64_t rows = ceil_div(p.rows, kTaskRows) * others;
    const int64_t wanted = ceil_div(p.columns, ceil_div(kTasks, rows));
    return std::min(kMostTaskColumns, round_up(std::max(kLeastColumns, wanted), kTileColumns));
}

void run_batch(ThreadPool& pool, const Batch& batch, float* threads) {
    struct Panels {
        const Batch::Entry* entry;
        int64_t column, k;
    };
    std::vector<Panels> panels;
    std::vector<GemmTask> tasks;
    for (const Batch::Entry& entry : batch.entries) {
        const Product& p = entry.product;
        for (int64_t column = 0; column < p.columns; column += kPackColumns)
            for (int64_t k = 0; k < p.inner; k += kPackInner) panels.push_back({&entry, column, k});
        const int64_t columns = task_columns(p, static_cast<int64_t>(batch.entries.size()));
        for (int64_t row = 0; row < p.rows; row += kTaskRows)
            for (int64_t column = 0; column < p.columns; column += columns)
                tasks.push_back({&p, row, std::min(kTaskRows, p.rows - row), column,
                                 std::min(columns, p.columns - column),
                                 entry.packed + column * p.inner});
    }
    pool.run(static_cast<int64_t>(panels.size()), [&](int64_t i, int) {
        const auto& [entry, column, k] = panels[static_cast<size_t>(i)];
        HWY_DYNAMIC_DISPATCH(gemm_pack)
        (entry->product, column, k, entry->packed + column * entry->product.inner);
    });
    pool.run(static_cast<int64_t>(tasks.size()), [&](int64_t i, int thread) {
        float* own = threads + thread * kTaskFloats;
        HWY_DYNAMIC_DISPATCH(gemm_task)
        (tasks[static_cast<size_t>(i)], own, own + kTaskRows * kMostInner);
    });
}

}  // namespace

bool Gemm::is_fast() {
    return HWY_DYNAMIC_DISPATCH(gemm_lanes)() >= 16;
}

size_t Gemm::scratch_bytes(int64_t elements, int64_t inner) const {
    const int64_t packed =
        std::min(elements, std::max(kBudget, stretch_columns(std::max<int64_t>(1, inner)) * inner));
    return static_cast<size_t>(round_up(packed, 16) + pool_.threads() * kTaskFloats) *
           sizeof(float);
}

void Gemm::run(std::span<const Product> products, void* scratch) const {
    auto* threads = static_cast<float*>(scratch);
    float* packed = threads + pool_.threads() * kTaskFloats;
    Batch batch;
    const auto flush = [&] {
        if (!batch.entries.empty()) run_batch(pool_, batch, threads);
        batch = {};
    };
    const auto add = [&](const Product& p) {
        const int64_t most = stretch_columns(p.inner);
        for (int64_t column = 0; column < p.columns; column += most) {
            const int64_t columns = std::min(most, p.columns - column);
            const int64_t floats = round_up(columns, kTileColumns) * p.inner;
            if (batch.floats + floats > kBudget) flush();
            batch.entries.push_back(
                {{p.rows, columns, p.inner, p.a, p.b.from(0, column), p.c.from(0, column), p.add},
                 packed + batch.floats});
            batch.floats += floats;
        }
    };
    int64_t most_slabs = 0;
    for (const Product& p : products) {
        PT_CHECK(!(p.add || slab_of(p) < p.inner) || p.c.dtype == DType::kF32,
                 "a product added to {}", name_of(p.c.dtype));
        if (p.inner > 0) most_slabs = std::max(most_slabs, ceil_div(p.inner, slab_of(p)));
    }
    for (int64_t slab = 0; slab < most_slabs; ++slab) {
        for (const Product& p : products) {
            const int64_t k = slab * slab_of(p);
            if (p.rows == 0 || k >= p.inner) continue;
            add({p.rows, p.columns, std::min(slab_of(p), p.inner - k), p.a.from(0, k),
                 p.b.from(k, 0), p.c, p.add || k > 0});
        }
        flush();
    }
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
