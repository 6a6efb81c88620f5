#include "ops/attention_cached.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/reference/register.hpp"
#include "kernels/reference/typed.hpp"

namespace polytrain::reference {
namespace {

template <class T>
void forward(const AttentionCached& op, T) {
    const int64_t width = op.head_width(), packed = op.qkv_NP.dim(1), row = op.cache_TK.dim(1);
    const double scale = 1 / std::sqrt(static_cast<double>(width));
    for (int64_t n = 0; n < op.y_NQ.dim(0); ++n)
        std::copy_n(op.qkv_NP.as<T>() + (n + 1) * packed - row, row,
                    op.cache_TK.as<T>() + (op.position + n) * row);
    for (int64_t n = 0; n < op.y_NQ.dim(0); ++n)
        for (int64_t h = 0; h < op.heads; ++h) {
            const T* q = op.qkv_NP.as<T>() + n * packed + h * width;
            const T* k = op.cache_TK.as<T>() + h / (op.heads / op.kv_heads) * width;
            const T* v = k + op.kv_heads * width;
            std::vector<double> p;
            for (int64_t j = 0; j <= op.position + n; ++j) {
                double dot = 0;
                for (int64_t d = 0; d < width; ++d) dot += load(q[d]) * load(k[j * row + d]);
                p.push_back(dot * scale);
            }
            const double highest = *std::max_element(p.begin(), p.end());
            double sum = 0;
            for (double& score : p) sum += score = std::exp(score - highest);
            for (int64_t d = 0; d < width; ++d) {
                double y = 0;
                for (size_t j = 0; j < p.size(); ++j)
                    y += p[j] * load(v[static_cast<int64_t>(j) * row + d]);
                store(op.y_NQ.as<T>()[(n * op.heads + h) * width + d], y / sum);
            }
        }
}

}  // namespace

void register_attention_cached(OpTable& table) {
    add_reference(table, &AttentionCached::y_NQ, [](auto& op, auto t) { forward(op, t); });
}

}  // namespace polytrain::reference
