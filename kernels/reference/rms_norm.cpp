#include "ops/rms_norm.hpp"

#include <cmath>
#include <vector>

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

template <class T>
void forward(const RmsNormForward& op, T) {
    const int64_t rows = op.x_NC.dim(0), width = op.x_NC.dim(1);
    const auto* gain = op.gain_C.as<Acc<T>>();
    for (int64_t n = 0; n < rows; ++n) {
        const T* x = op.x_NC.as<T>() + n * width;
        T* y = op.y_NC.as<T>() + n * width;
        if (op.adds()) {
            const T* residual = op.residual_NC.as<T>() + n * width;
            T* sum = op.sum_NC.as<T>() + n * width;
            for (int64_t c = 0; c < width; ++c) store(sum[c], load(x[c]) + load(residual[c]));
            x = sum;
        }
        double squares = 0;
        for (int64_t c = 0; c < width; ++c) squares += load(x[c]) * load(x[c]);
        const double rstd = 1 / std::sqrt(squares / static_cast<double>(width) + op.eps);
        store(op.rstd_N.as<Acc<T>>()[n], rstd);
        for (int64_t c = 0; c < width; ++c) store(y[c], load(x[c]) * rstd * load(gain[c]));
    }
}

template <class T>
void backward(const RmsNormBackward& op, T) {
    const int64_t rows = op.x_NC.dim(0), width = op.x_NC.dim(1);
    const auto* gain = op.gain_C.as<Acc<T>>();
    std::vector<double> dgain(static_cast<size_t>(width));
    for (int64_t n = 0; n < rows; ++n) {
        const T* x = op.x_NC.as<T>() + n * width;
        const T* dy = op.dy_NC.as<T>() + n * width;
        T* dx = op.dx_NC.as<T>() + n * width;
        const double rstd = load(op.rstd_N.as<Acc<T>>()[n]);
        double dot = 0;
        for (int64_t c = 0; c < width; ++c) dot += load(dy[c]) * load(gain[c]) * load(x[c]) * rstd;
        const double mean = dot / static_cast<double>(width);
        for (int64_t c = 0; c < width; ++c) {
            const double xhat = load(x[c]) * rstd, g = load(dy[c]);
            dgain[static_cast<size_t>(c)] += g * xhat;
            const double other = op.adds() ? load(op.dskip_NC.as<T>()[n * width + c]) : 0;
            store(dx[c], other + rstd * (g * load(gain[c]) - xhat * mean));
        }
    }
    for (int64_t c = 0; c < width; ++c) {
        auto& sum = op.dgain_C.as<Acc<T>>()[c];
        store(sum, load(sum) + dgain[static_cast<size_t>(c)]);
    }
}

}  // namespace

void register_rms_norm(OpTable& table) {
    add_reference(table, &RmsNormForward::x_NC, [](auto& op, auto t) { forward(op, t); });
    add_reference(table, &RmsNormBackward::x_NC, [](auto& op, auto t) { backward(op, t); });
}

}  // namespace polytrain::reference
