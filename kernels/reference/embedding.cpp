#include "ops/embedding.hpp"

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

int64_t checked_id(const Tensor& ids_N, int64_t n, int64_t vocabulary) {
    const int64_t id = ids_N.as<int32_t>()[n];
    PT_CHECK(id >= 0 && id < vocabulary, "token id {} at {} of a vocabulary of {}", id, n,
             vocabulary);
    return id;
}

}  // namespace

void register_embedding(OpTable& table) {
    add_reference(table, &EmbeddingForward::table_VC, [](const EmbeddingForward& op, auto t) {
        using T = decltype(t);
        const int64_t width = op.table_VC.dim(1);
        for (int64_t n = 0; n < op.ids_N.dim(0); ++n) {
            const int64_t id = checked_id(op.ids_N, n, op.table_VC.dim(0));
            for (int64_t c = 0; c < width; ++c)
                op.y_NC.as<T>()[n * width + c] = op.table_VC.as<T>()[id * width + c];
        }
    });
    add_reference(table, &EmbeddingBackward::dy_NC, [](const EmbeddingBackward& op, auto t) {
        using T = decltype(t);
        const int64_t width = op.dy_NC.dim(1);
        for (int64_t n = 0; n < op.ids_N.dim(0); ++n) {
            const int64_t id = checked_id(op.ids_N, n, op.dtable_VC.dim(0));
            for (int64_t c = 0; c < width; ++c) {
                Acc<T>& sum = op.dtable_VC.as<Acc<T>>()[id * width + c];
                store(sum, load(sum) + load(op.dy_NC.as<T>()[n * width + c]));
            }
        }
    });
}

}  // namespace polytrain::reference
