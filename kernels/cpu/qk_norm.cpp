// Norms of queries and keys on vector lanes.

#include "ops/qk_norm.hpp"

#include "kernels/cpu/register.hpp"
#include "kernels/cpu/register_cpu.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/qk_norm.cpp"
#include "hwy/foreach_target.h"  // keep this order: it includes this file once per target
#include "hwy/highway.h"
#include "kernels/cpu/norm_row-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void forward_rows(const QkNormForward& op, int64_t begin, int64_t end) {
    const int64_t packed = op.x_NP.dim(1), segments = op.rstd_NS.dim(1);
    const int64_t values = (op.heads + op.kv_heads) * op.head_width();
    const PairedColumns<T> gain_q(op.gain_q.as<float>(), op.gain_q.elements()),
        gain_k(op.gain_k.as<float>(), op.gain_k.elements());
    const RowStream<T> out;
    for (int64_t n = begin; n < end; ++n) {
        const T* x = op.x_NP.as<T>() + n * packed;
        T* y = op.y_NP.as<T>() + n * packed;
        for_each_segment(op, [&](int64_t s, int64_t first, int64_t width, bool is_query) HWY_ATTR {
            typename NormForward<T>::First sums{{x + first}, &out};
            for_pairs(width, sums);
            const float rstd = sums.rstd(width, op.eps);
            op.rstd_NS.as<float>()[n * segments + s] = rstd;
            const typename NormForward<T>::Second results{
                sums.in, (is_query ? gain_q : gain_k).data(), rstd, y + first, &out};
            for_pairs(width, results);
        });
        std::copy(x + values, x + packed, y + values);
    }
}

// dgains: what these rows add to both gains' gradients, the queries' first.
template <class T>
void backward_rows(const QkNormBackward& op, int64_t begin, int64_t end, float* dgains) {
    const int64_t packed = op.x_NP.dim(1), segments = op.rstd_NS.dim(1);
    const int64_t queries = op.gain_q.elements(), keys = op.gain_k.elements();
    const PairedColumns<T> gain_q(op.gain_q.as<float>(), queries),
        gain_k(op.gain_k.as<float>(), keys);
    PairedColumns<T> dgain_q(queries), dgain_k(keys);
    const RowStream<T> out;
    for (int64_t n = begin; n < end; ++n)
        for_each_segment(op, [&](int64_t s, int64_t first, int64_t width, bool is_query) HWY_ATTR {
            T* d = op.d_NP.as<T>() + n * packed + first;
            const float* gain = (is_query ? gain_q : gain_k).data();
            typename NormBackward<T>::First sums{op.x_NP.as<T>() + n * packed + first,
                                                 d,
                                                 gain,
                                                 op.rstd_NS.as<float>()[n * segments + s],
                                                 (is_query ? dgain_q : dgain_k).data(),
                                                 &out};
            for_pairs(width, sums);
            const typename NormBackward<T>::Second results{
                sums.x, d, gain, sums.rstd, sums.through_norm(width), d, &out};
            for_pairs(width, results);
        });
    dgain_q.copy_to(dgains);
    dgain_k.copy_to(dgains + queries);
}

}  // namespace

void qk_norm_forward_rows(const QkNormForward& op, int64_t begin, int64_t end) {
    with_storage(op.x_NP, [&](auto t) { forward_rows<decltype(t)>(op, begin, end); });
}
void qk_norm_backward_rows(const QkNormBackward& op, int64_t begin, int64_t end, float* sums) {
    with_storage(op.x_NP, [&](auto t) { backward_rows<decltype(t)>(op, begin, end, sums); });
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polytrain::cpu {
namespace {

HWY_EXPORT(qk_norm_forward_rows);
HWY_EXPORT(qk_norm_backward_rows);

Partition parts_of(const Tensor& x_NP) {
    return row_parts(x_NP.dim(0), x_NP.dim(1));
}

int64_t gain_elements(const QkNormBackward& op) {
    return op.gain_q.elements() + op.gain_k.elements();
}

void backward(const QkNormBackward& op, ThreadPool& pool) {
    const Partition rows = parts_of(op.x_NP);
    const int64_t count = gain_elements(op);
    auto* sums = static_cast<float*>(op.scratch.data);  // [parts, gains]
    pool.run(rows.parts(), [&](int64_t part, int) {
        HWY_DYNAMIC_DISPATCH(qk_norm_backward_rows)
        (op, rows.begin(part), rows.end(part), sums + part * count);
    });
    const int64_t queries = op.gain_q.elements();
    add_part_sums(pool, sums, rows.parts(), count, op.dgain_q.as<float>(), queries);
    add_part_sums(pool, sums + queries, rows.parts(), count, op.dgain_k.as<float>(),
                  count - queries);
}

}  // namespace

void register_qk_norm(OpTable& table, ThreadPool& pool) {
    add_cpu<QkNormForward>(table, &QkNormForward::x_NP, [&pool](const QkNormForward& op) {
        const Partition rows = parts_of(op.x_NP);
        pool.run(rows.parts(), [&](int64_t part, int) {
            HWY_DYNAMIC_DISPATCH(qk_norm_forward_rows)(op, rows.begin(part), rows.end(part));
        });
    });
    add_cpu<QkNormBackward>(
        table, &QkNormBackward::x_NP, [&pool](const QkNormBackward& op) { backward(op, pool); },
        [](const QkNormBackward& op) {
            return static_cast<size_t>(parts_of(op.x_NP).parts() * gain_elements(op)) *
                   sizeof(float);
        });
}

}  // namespace polytrain::cpu
#endif  // HWY_ONCE
