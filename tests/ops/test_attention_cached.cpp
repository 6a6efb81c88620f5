#include "ops/attention_cached.hpp"

#include "ops/attention.hpp"
#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

struct Sizes {
    int64_t rows, position, capacity, heads, kv_heads, width;
    int64_t packed() const { return (heads + 2 * kv_heads) * width; }
    int64_t cached() const { return 2 * kv_heads * width; }
};

AttentionCached make_op(const Sizes& s, DType t) {
    return {described({s.rows, s.packed()}, t),
            described({s.capacity, s.cached()}, t),
            described({s.rows, s.heads * s.width}, t),
            {},
            s.position,
            s.heads,
            s.kv_heads};
}

}  // namespace

TEST_CASE("attention_cached: every implementation against reference, odd sizes") {
    Random random("attention_cached");
    for (const Sizes& s :
         {Sizes{0, 2, 5, 1, 1, 2}, Sizes{1, 0, 1, 2, 1, 6}, Sizes{3, 4, 9, 4, 2, 16},
          Sizes{16, 17, 33, 3, 3, 18}, Sizes{1, 69, 100, 6, 2, 34}}) {
        const Values inputs{{"qkv_NP", random.vector(s.rows * s.packed(), -2, 2)},
                            {"cache_TK", random.vector(s.capacity * s.cached(), -2, 2)}};
        check_op<AttentionCached>([&](DType t) { return make_op(s, t); }, inputs);
    }
}

TEST_CASE("attention_cached: in pieces it is attention") {
    Random random("attention_cached pieces");
    const Machine machine(1);
    const int64_t time = 11, heads = 4, kv_heads = 2, width = 6;
    const Sizes all{time, 0, time, heads, kv_heads, width};
    const std::vector<double> qkv = random.vector(time * all.packed(), -2, 2);
    const AttentionForward whole{described({time, all.packed()}, DType::kF64),
                                 described({time, heads * width}, DType::kF64),
                                 described({time, heads}, DType::kF64),
                                 {},
                                 time,
                                 heads,
                                 kv_heads};
    const std::vector<double> expected = run_op(machine, whole, {{"qkv_NP", qkv}}).at("y_NQ");

    std::vector<double> y, cache(static_cast<size_t>(time * all.cached()), 7.0);
    for (int64_t position = 0, rows = 1; position < time;
         position += rows, rows = 1 + position % 4) {
        rows = std::min(rows, time - position);
        const auto begin = qkv.begin() + position * all.packed();
        const Values after =
            run_op(machine, make_op({rows, position, time, heads, kv_heads, width}, DType::kF64),
                   {{"qkv_NP", {begin, begin + rows * all.packed()}}, {"cache_TK", cache}});
        cache = after.at("cache_TK");
        y.insert(y.end(), after.at("y_NQ").begin(), after.at("y_NQ").end());
    }
    CHECK(relative_difference(expected, y) < 1e-13);
}
