#include "ops/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

// One row's vectors of one head in the packed projection.
template <class T>
struct Heads {
    T* data;
    int64_t packed, width, heads, kv_heads;

    template <class Op>
    Heads(const Op& op, const Tensor& qkv)
        : data(qkv.as<T>()),
          packed(qkv.dim(1)),
          width(op.head_width()),
          heads(op.heads),
          kv_heads(op.kv_heads) {}
    int64_t group(int64_t h) const { return h / (heads / kv_heads); }
    T* q(int64_t n, int64_t h) const { return data + n * packed + h * width; }
    T* k(int64_t n, int64_t h) const { return q(n, heads + group(h)); }
    T* v(int64_t n, int64_t h) const { return q(n, heads + kv_heads + group(h)); }
};

template <class A, class B>
double dot(const A* a, const B* b, int64_t width) {
    double sum = 0;
    for (int64_t d = 0; d < width; ++d) sum += load(a[d]) * load(b[d]);
    return sum;
}

template <class T>
void forward(const AttentionForward& op, T) {
    const Heads<T> x(op, op.qkv_NP);
    const int64_t width = op.head_width();
    const double scale = 1 / std::sqrt(static_cast<double>(width));
    std::vector<double> scores(static_cast<size_t>(op.time));
    for (int64_t n = 0; n < op.y_NQ.dim(0); ++n)
        for (int64_t h = 0; h < op.heads; ++h) {
            const int64_t first = n - n % op.time;
            double highest = -std::numeric_limits<double>::infinity(), sum = 0;
            for (int64_t j = first; j <= n; ++j) {
                scores[static_cast<size_t>(j - first)] = scale * dot(x.q(n, h), x.k(j, h), width);
                highest = std::max(highest, scores[static_cast<size_t>(j - first)]);
            }
            for (int64_t j = first; j <= n; ++j)
                sum += std::exp(scores[static_cast<size_t>(j - first)] - highest);
            const double lse = highest + std::log(sum);
            store(op.lse_NH.as<Acc<T>>()[n * op.heads + h], lse);
            for (int64_t d = 0; d < width; ++d) {
                double y = 0;
                for (int64_t j = first; j <= n; ++j)
                    y +=
                        std::exp(scores[static_cast<size_t>(j - first)] - lse) * load(x.v(j, h)[d]);
                store(op.y_NQ.as<T>()[(n * op.heads + h) * width + d], y);
            }
        }
}

template <class T>
void backward(const AttentionBackward& op, T) {
    const Heads<T> x(op, op.qkv_NP);
    const int64_t width = op.head_width();
    const double scale = 1 / std::sqrt(static_cast<double>(width));
    // Several heads add to one key or value: sum in double, round once.
    std::vector<double> sums(static_cast<size_t>(op.dqkv_NP.elements()));
    const auto at = [&](T* element) { return sums.begin() + (element - op.qkv_NP.as<T>()); };
    for (int64_t n = 0; n < op.y_NQ.dim(0); ++n)
        for (int64_t h = 0; h < op.heads; ++h) {
            const T* y = op.y_NQ.as<T>() + (n * op.heads + h) * width;
            const T* dy = op.dy_NQ.as<T>() + (n * op.heads + h) * width;
            const double lse = load(op.lse_NH.as<Acc<T>>()[n * op.heads + h]);
            const double delta = dot(dy, y, width);
            for (int64_t j = n - n % op.time; j <= n; ++j) {
                const double p = std::exp(scale * dot(x.q(n, h), x.k(j, h), width) - lse);
                const double ds = p * (dot(dy, x.v(j, h), width) - delta) * scale;
                for (int64_t d = 0; d < width; ++d) {
                    at(x.v(j, h))[d] += p * load(dy[d]);
                    at(x.q(n, h))[d] += ds * load(x.k(j, h)[d]);
                    at(x.k(j, h))[d] += ds * load(x.q(n, h)[d]);
                }
            }
        }
    for (size_t i = 0; i < sums.size(); ++i) store(op.dqkv_NP.as<T>()[i], sums[i]);
}

}  // namespace

void register_attention(OpTable& table) {
    add_reference(table, &AttentionForward::y_NQ, [](auto& op, auto t) { forward(op, t); });
    add_reference(table, &AttentionBackward::y_NQ, [](auto& op, auto t) { backward(op, t); });
}

}  // namespace polytrain::reference
