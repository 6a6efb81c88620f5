#include "ops/qk_norm.hpp"

#include <cmath>
#include <vector>

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

template <class T>
void forward(const QkNormForward& op, T) {
    const int64_t packed = op.x_NP.dim(1), segments = op.rstd_NS.dim(1);
    for (int64_t n = 0; n < op.x_NP.dim(0); ++n) {
        const T* x = op.x_NP.as<T>() + n * packed;
        T* y = op.y_NP.as<T>() + n * packed;
        for_each_segment(op, [&](int64_t s, int64_t begin, int64_t width, bool is_query) {
            const Acc<T>* gain = (is_query ? op.gain_q : op.gain_k).template as<Acc<T>>();
            double squares = 0;
            for (int64_t c = 0; c < width; ++c) squares += load(x[begin + c]) * load(x[begin + c]);
            const double rstd = 1 / std::sqrt(squares / static_cast<double>(width) + op.eps);
            store(op.rstd_NS.as<Acc<T>>()[n * segments + s], rstd);
            for (int64_t c = 0; c < width; ++c)
                store(y[begin + c], load(x[begin + c]) * rstd * load(gain[c]));
        });
        for (int64_t c = (op.heads + op.kv_heads) * op.head_width(); c < packed; ++c) y[c] = x[c];
    }
}

template <class T>
void backward(const QkNormBackward& op, T) {
    const int64_t packed = op.x_NP.dim(1), segments = op.rstd_NS.dim(1);
    std::vector<double> dgain_q(static_cast<size_t>(op.gain_q.elements()));
    std::vector<double> dgain_k(static_cast<size_t>(op.gain_k.elements()));
    for (int64_t n = 0; n < op.x_NP.dim(0); ++n)
        for_each_segment(op, [&](int64_t s, int64_t begin, int64_t width, bool is_query) {
            const Acc<T>* gain = (is_query ? op.gain_q : op.gain_k).template as<Acc<T>>();
            std::vector<double>& dgain = is_query ? dgain_q : dgain_k;
            const T* x = op.x_NP.as<T>() + n * packed + begin;
            T* d = op.d_NP.as<T>() + n * packed + begin;
            const double rstd = load(op.rstd_NS.as<Acc<T>>()[n * segments + s]);
            double mean = 0;
            for (int64_t c = 0; c < width; ++c) {
                mean += load(d[c]) * load(gain[c]) * load(x[c]) * rstd;
                dgain[static_cast<size_t>(c)] += load(d[c]) * load(x[c]) * rstd;
            }
            mean /= static_cast<double>(width);
            for (int64_t c = 0; c < width; ++c)
                store(d[c], rstd * (load(d[c]) * load(gain[c]) - load(x[c]) * rstd * mean));
        });
    const auto add = [](const std::vector<double>& sums, const Tensor& to) {
        for (size_t c = 0; c < sums.size(); ++c)
            store(to.as<Acc<T>>()[c], load(to.as<Acc<T>>()[c]) + sums[c]);
    };
    add(dgain_q, op.dgain_q);
    add(dgain_k, op.dgain_k);
}

}  // namespace

void register_qk_norm(OpTable& table) {
    add_reference(table, &QkNormForward::x_NP, [](auto& op, auto t) { forward(op, t); });
    add_reference(table, &QkNormBackward::x_NP, [](auto& op, auto t) { backward(op, t); });
}

}  // namespace polytrain::reference
