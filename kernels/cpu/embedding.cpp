// Token embedding: row copies forward; backward each part owns a block of columns and goes through
// the tokens in order, so that no two parts add to one element and the order never changes.

#include "ops/embedding.hpp"

#include <cstring>

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

namespace polytrain::cpu {
namespace {

void check_ids(const Tensor& ids_N, int64_t vocabulary) {
    const int32_t* ids = ids_N.as<int32_t>();
    for (int64_t n = 0; n < ids_N.dim(0); ++n)
        PT_CHECK(ids[n] >= 0 && ids[n] < vocabulary, "token id {} at {} of a vocabulary of {}",
                 ids[n], n, vocabulary);
}

void forward(const EmbeddingForward& op, ThreadPool& pool) {
    check_ids(op.ids_N, op.table_VC.dim(0));
    const int64_t width = op.table_VC.dim(1);
    const auto bytes = width * static_cast<int64_t>(size_of(op.table_VC.dtype));
    const Partition rows = row_parts(op.ids_N.dim(0), width);
    pool.run(rows.parts(), [&](int64_t part, int) {
        for (int64_t n = rows.begin(part); n < rows.end(part); ++n)
            std::memcpy(
                static_cast<std::byte*>(op.y_NC.data) + n * bytes,
                static_cast<const std::byte*>(op.table_VC.data) + op.ids_N.as<int32_t>()[n] * bytes,
                static_cast<size_t>(bytes));
    });
}

template <class T>
void backward(const EmbeddingBackward& op, ThreadPool& pool) {
    check_ids(op.ids_N, op.dtable_VC.dim(0));
    const int64_t width = op.dtable_VC.dim(1);
    const Partition columns{width, 64};
    pool.run(columns.parts(), [&](int64_t part, int) {
        for (int64_t n = 0; n < op.ids_N.dim(0); ++n) {
            const T* dy = op.dy_NC.as<T>() + n * width;
            float* row = op.dtable_VC.as<float>() + op.ids_N.as<int32_t>()[n] * width;
            for (int64_t c = columns.begin(part); c < columns.end(part); ++c)
                row[c] += static_cast<float>(dy[c]);
        }
    });
}

}  // namespace

void register_embedding(OpTable& table, ThreadPool& pool) {
    add_cpu<EmbeddingForward>(table, &EmbeddingForward::table_VC,
                              [&pool](const EmbeddingForward& op) { forward(op, pool); });
    add_cpu<EmbeddingBackward>(
        table, &EmbeddingBackward::dy_NC, [&pool](const EmbeddingBackward& op) {
            with_storage(op.dy_NC, [&](auto t) { backward<decltype(t)>(op, pool); });
        });
}

}  // namespace polytrain::cpu
