// polytrain_determinism_bench [--precision f32|bf16] [--threads N] [--rounds N]: the products of a
// training step of configs/bench/dense_polynorm.json, each cut into parts that don't depend on the
// number of threads, as PolyTrain computes them, against the same by one call of oneDNN with its
// own threads. In turn; prints a JSON object. scripts/bench/determinism.sh runs it.

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <oneapi/dnnl/dnnl.hpp>

#include "core/clock.hpp"
#include "core/thread_pool.hpp"
#include "kernels/cpu/backend.hpp"
#include "op_bench/timing.hpp"
#include "ops/linear.hpp"

namespace polytrain::bench {
namespace {

struct Options {
    DType storage = DType::kF32;
    int threads = available_processors(), rounds = 15;
};

// A matrix of an op's tensor, as it lies or transposed.
dnnl::memory matrix(const dnnl::engine& engine, const Tensor& x, bool transposed = false) {
    const auto type =
        x.dtype == DType::kBf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
    const int64_t rows = x.dim(0), columns = x.dim(1);
    const auto description =
        transposed ? dnnl::memory::desc({columns, rows}, type, dnnl::memory::dims{1, columns})
                   : dnnl::memory::desc({rows, columns}, type, dnnl::memory::dims{columns, 1});
    return {description, engine, x.data};
}

// c = a b, or added to c, by oneDNN with all threads.
class WholeProduct {
  public:
    WholeProduct(const dnnl::engine& engine, dnnl::memory a, dnnl::memory b, dnnl::memory c,
                 bool add)
        : stream_(engine), arguments_{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}} {
        dnnl::primitive_attr attributes;
        if (add) {
            dnnl::post_ops sum;
            sum.append_sum(1.0f);
            attributes.set_post_ops(sum);
        }
#if DNNL_VERSION_MAJOR >= 3
        product_ = dnnl::matmul(dnnl::matmul::primitive_desc(engine, a.get_desc(), b.get_desc(),
                                                             c.get_desc(), attributes));
#else
        product_ = dnnl::matmul(
            {dnnl::matmul::desc(a.get_desc(), b.get_desc(), c.get_desc()), attributes, engine});
#endif
    }
    void run() {
        product_.execute(stream_, arguments_);
        stream_.wait();
    }

  private:
    dnnl::stream stream_;
    dnnl::matmul product_;
    std::unordered_map<int, dnnl::memory> arguments_;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

class Comparison {
  public:
    explicit Comparison(const Options& options)
        : options_(options), bench_(make_cpu_backend(options.threads)) {}

    // `calls` of the product belong to a step.
    template <class Op, class Matrices>
    void compare(const std::string& name, const Op& described_op, int calls,
                 const Matrices& matrices, bool add = false) {
        const OnDevice<Op> ours(bench_, described_op);
        const auto [a, b, c] = matrices(engine_, ours.op);
        omp_set_num_threads(options_.threads);
        WholeProduct whole(engine_, a, b, c, add);
        std::vector<double> times[2];
        for (int round = -1; round < options_.rounds; ++round) {  // the first doesn't count
            omp_set_num_threads(1);
            const Stopwatch our_watch;
            ours.run();
            const double own = our_watch.seconds();
            omp_set_num_threads(options_.threads);
            const Stopwatch watch;
            whole.run();
            const double other = watch.seconds();
            if (round < 0) continue;
            times[0].push_back(own);
            times[1].push_back(other);
        }
        const double own = median(times[0]), other = median(times[1]);
        own_ += calls * own;
        other_ += calls * other;
        products_.push_back({{"product", name},
                             {"implementation", bench_.ops.choice(ours.op)},
                             {"calls", calls},
                             {"milliseconds", 1e3 * own},
                             {"onednn_milliseconds", 1e3 * other},
                             {"ratio", own / other}});
    }

    // y = x w^T of `rows` rows, and its gradients.
    void layer(const std::string& name, int64_t rows, int64_t in, int64_t out, int calls) {
        const Tensor x = described({rows, in}, options_.storage),
                     y = described({rows, out}, options_.storage),
                     w = described({out, in}, options_.storage),
                     dw = described({out, in}, DType::kF32);
        const auto of = [](const auto& engine, const Tensor& a, bool a_transposed, const Tensor& b,
                           bool b_transposed, const Tensor& c) {
            return std::tuple(matrix(engine, a, a_transposed), matrix(engine, b, b_transposed),
                              matrix(engine, c));
        };
        compare(name + " forward", LinearForward{x, w, y, {}}, calls,
                [&](const auto& engine, const LinearForward& op) {
                    return of(engine, op.x_NI, false, op.w_OI, true, op.y_NO);
                });
        compare(name + " input's gradient", LinearBackwardInput{y, w, x, {}}, calls,
                [&](const auto& engine, const LinearBackwardInput& op) {
                    return of(engine, op.dy_NO, false, op.w_OI, false, op.dx_NI);
                });
        compare(
            name + " weight's gradient", LinearBackwardWeight{y, x, dw, {}}, calls,
            [&](const auto& engine, const LinearBackwardWeight& op) {
                return of(engine, op.dy_NO, true, op.x_NI, false, op.dw_OI);
            },
            true);
    }

    nlohmann::ordered_json result() const {
        return {{"precision", name_of(options_.storage)},
                {"threads", options_.threads},
                {"products", products_},
                {"ratio", own_ / other_}};
    }

  private:
    Options options_;
    Bench bench_;
    dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
    nlohmann::ordered_json products_ = nlohmann::ordered_json::array();
    double own_ = 0, other_ = 0;
};

bool parse(int argc, char** argv, Options& options) {
    const auto number = [](std::string_view text, int& value) {
        const char* end = text.data() + text.size();
        return std::from_chars(text.data(), end, value).ptr == end && value > 0;
    };
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) return false;
        const std::string_view name = argv[i], value = argv[i + 1];
        if (name == "--precision" && (value == "f32" || value == "bf16"))
            options.storage = value == "f32" ? DType::kF32 : DType::kBf16;
        else if (name != "--threads" && name != "--rounds")
            return false;
        else if (!number(value, name == "--threads" ? options.threads : options.rounds))
            return false;
    }
    return true;
}

}  // namespace
}  // namespace polytrain::bench

int main(int argc, char** argv) {
    using namespace polytrain::bench;
    Options options;
    if (!parse(argc, argv, options)) {
        fmt::print(stderr,
                   "usage: polytrain_determinism_bench [--precision f32|bf16] [--threads N] "
                   "[--rounds N]\n");
        return 2;
    }
    Comparison comparison(options);
    const Sizes s = cpu_sizes();
    constexpr int kLayers = 6;
    comparison.layer("queries, keys, values", s.rows(), s.width, 3 * s.width, kLayers);
    comparison.layer("attention out", s.rows(), s.width, s.width, kLayers);
    comparison.layer("up", s.rows(), s.width, s.hidden, kLayers);
    comparison.layer("down", s.rows(), s.hidden, s.width, kLayers);
    comparison.layer("head", s.head_rows, s.width, s.vocabulary,
                     static_cast<int>(s.rows() / s.head_rows));
    fmt::print("{}\n", comparison.result().dump(2));
    return 0;
}
