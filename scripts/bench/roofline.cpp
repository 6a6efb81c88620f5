// A PREDICTION, from arithmetic alone, of what a training step of a config takes on H100 GPUs. No
// GPU ran for it and nothing is calibrated: it says which part of a step matters, not how fast the
// program is. scripts/bench/roofline.sh compiles and runs it.
// Usage: roofline CONFIG.json...   prints a Markdown table

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace {

using Json = nlohmann::json;

// H100 SXM, as NVIDIA publishes it: bf16 without sparsity, HBM3, NVLink in one direction.
constexpr double kPeakFlops = 989e12, kBandwidth = 3.35e12, kLink = 450e9;
constexpr double kMultiprocessors = 132;
// The assumptions: shares of the above that are reached.
constexpr double kProductShare = 0.70;  // of a product whose tiles fill all multiprocessors
constexpr double kAttentionForward = 0.55, kAttentionBackward = 0.40;
constexpr double kMemoryShare = 0.80;  // by kernels that only move data
constexpr double kLinkShare = 0.65;    // by exchanges between GPUs, not hidden behind work
constexpr double kOptimizerBytes =
    28;                       // per parameter: weight and remainder, two moments, gradient
constexpr double kRanks = 8;  // on one machine

struct Model {
    double layers = 0, width = 0, heads = 0, kv_heads = 0, time = 0, vocabulary = 0;
    double hidden = 0, experts = 0, top_k = 0;
    bool gated = false, qk_norm = false, recomputes_activation = false, is_sharded = false;
    double micro_batch = 0, batch = 0;

    double rows() const { return micro_batch * time; }
    double head_width() const { return width / heads; }
    double packed() const { return (heads + 2 * kv_heads) * head_width(); }
    double routes() const { return experts > 0 ? top_k : 1; }  // feed-forward parts of a token
    double feed_forward() const { return (gated ? 3 : 2) * width * hidden; }
    double attention() const { return width * packed() + width * width; }
};

// A config with all that it extends: keys of the later file win.
Json read_config(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path + ": can't be read");
    Json own = Json::parse(file);
    if (!own.contains("extends")) return own;
    const std::string folder = path.substr(0, path.find_last_of('/') + 1);
    Json base = read_config(folder + own["extends"].get<std::string>());
    own.erase("extends");
    base.merge_patch(own);
    return base;
}

Model model_of(const Json& config) {
    const Json &m = config.at("model"), &train = config.at("train");
    const Json feed_forward = m.value("feed_forward", Json::object());
    const Json moe = m.value("moe", Json::object());
    Model model;
    model.layers = m.at("layers");
    model.width = m.at("d_model");
    model.heads = m.at("heads");
    model.kv_heads = m.value("kv_heads", model.heads);
    model.time = m.at("context");
    model.vocabulary = m.at("vocab_size");
    const std::string activation = feed_forward.value("activation", "polynorm");
    model.gated = activation == "swiglu" || feed_forward.value("gated", false);
    model.hidden = moe.value("hidden", feed_forward.value("hidden", 4 * model.width));
    model.experts = moe.value("experts", 0.0);
    model.top_k = moe.value("top_k", 0.0);
    model.qk_norm = m.value("qk_norm", "none") != "none";
    model.recomputes_activation = train.value("recompute", "none") == "activation";
    model.is_sharded = config.value("parallel", Json::object()).value("sharding", 0) > 0;
    model.batch = train.at("batch");
    model.micro_batch = train.value("micro_batch", model.batch);
    return model;
}

// y[rows, columns] = x[rows, inner] w, and with it both gradients: 3 products. Tiles of 128 x 256
// come in waves of one for each multiprocessor, of which the last may be part empty.
double product_seconds(double rows, double columns, double inner) {
    const double waves = std::ceil(rows / 128) * std::ceil(columns / 256) / kMultiprocessors;
    const double share = kProductShare * waves / std::ceil(waves);
    return 3 * 2 * rows * columns * inner / (kPeakFlops * share);
}

double memory_seconds(double bytes) {
    return bytes / (kBandwidth * kMemoryShare);
}

struct Times {
    double products = 0, attention = 0, memory = 0, exchange = 0, optimizer = 0;
    double all() const { return products + attention + memory + exchange + optimizer; }
};

// Of one micro-batch on one GPU, with its share of the optimizer's step.
Times times_of(const Model& m) {
    Times t;
    const double n = m.rows(), routed = n * m.routes();
    t.products +=
        m.layers * (product_seconds(n, m.packed(), m.width) + product_seconds(n, m.width, m.width) +
                    product_seconds(routed, (m.gated ? 2 : 1) * m.hidden, m.width) +
                    product_seconds(routed, m.width, m.hidden));
    t.products += product_seconds(n, m.vocabulary, m.width);

    // q k^T and p v forward, five such products backward, half of each masked. Then the scores'
    // gradient in bf16, written once and read once, which the deterministic kernels need.
    const double square = 2 * m.micro_batch * m.heads * m.time * m.time * m.head_width() / 2;
    t.attention = m.layers * (2 * square / (kPeakFlops * kAttentionForward) +
                              5 * square / (kPeakFlops * kAttentionBackward));
    t.attention += m.layers * memory_seconds(2 * 2 * m.micro_batch * m.heads * m.time * m.time / 2);

    // Elements of bf16 that pass through memory outside products, forward and backward: norms
    // (2 + 3) and residual sums (3 + 3), two of each; rotary positions (2 + 2), norms of queries
    // and keys (2 + 3); activations (x and y; x, dy and dx); dispatch and combine of routed rows
    // (8).
    const double rotated = (m.heads + m.kv_heads) * m.head_width();
    const double activation_in = (m.gated ? 2 : 1) * m.hidden;
    double elements = n * 22 * m.width + n * rotated * (m.qk_norm ? 9 : 4);
    elements += routed * ((activation_in + m.hidden) + (2 * activation_in + m.hidden));
    if (m.recomputes_activation) elements += routed * (activation_in + m.hidden);
    if (m.experts > 0) elements += routed * m.width * 8;
    t.memory = m.layers * memory_seconds(2 * elements);
    t.memory += memory_seconds(2 * 3 * n * m.vocabulary);  // logits: written, read, overwritten

    // Rows to their experts and back, forward and backward, but for the share that stays.
    if (m.experts > 0)
        t.exchange = m.layers * 4 * 2 * routed * m.width * (1 - 1 / kRanks) / (kLink * kLinkShare);

    // Once a step: gradients (f32) are summed over the ranks and weights (bf16) given back, but
    // those of experts, which one rank has; the optimizer's part of a rank is as sharding says.
    const double micro_batches = std::max(1.0, m.batch / kRanks / m.micro_batch);
    double shared = m.layers * m.attention() + 2 * m.vocabulary * m.width;
    double experts = 0;
    (m.experts > 0 ? experts : shared) += m.layers * std::max(1.0, m.experts) * m.feed_forward();
    const double own = shared / (m.is_sharded ? kRanks : 1) + experts / kRanks;
    t.optimizer = memory_seconds(kOptimizerBytes * own) / micro_batches;
    t.exchange += (4 + 2) * shared * (1 - 1 / kRanks) / (kLink * kLinkShare) / micro_batches;
    return t;
}

// As the program counts them (src/model/estimate.hpp): 6 for each matrix element that a token
// meets, and causal attention.
double flops_per_token(const Model& m) {
    const double matrices =
        m.layers * (m.attention() + m.routes() * m.feed_forward() + m.width * m.experts) +
        m.vocabulary * m.width;
    return 6 * matrices + 6 * m.layers * m.width * m.time;
}

void print_row(const std::string& path) {
    const Model m = model_of(read_config(path));
    const Times t = times_of(m);
    const double mfu = flops_per_token(m) * m.rows() / t.all() / kPeakFlops;
    const double step = t.all() * std::max(1.0, m.batch / kRanks / m.micro_batch);
    std::printf("| %s | %.0f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.2f | %.0f | %.0f %% |\n",
                path.c_str(), m.rows(), 1e3 * t.products, 1e3 * t.attention, 1e3 * t.memory,
                1e3 * t.exchange, 1e3 * t.optimizer, 1e3 * t.all(), step, m.rows() / t.all(),
                100 * mfu);
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 2) {
        std::fprintf(stderr, "usage: roofline CONFIG.json...\n");
        return 2;
    }
    std::printf(
        "**A prediction, not a measurement**: H100 SXM (989 TFLOP/s bf16, 3.35 TB/s), %.0f GPUs "
        "of\n"
        "one machine. Assumed: products reach %.0f %% of the peak where tiles fill the GPU,\n"
        "attention %.0f %% forward and %.0f %% backward, kernels that move data %.0f %% of the\n"
        "bandwidth, exchanges %.0f %% of NVLink's 450 GB/s and hidden behind nothing; no gaps\n"
        "between kernels, no reading of data, no checkpoints. Milliseconds of one micro-batch;\n"
        "its share of the step's reduction and optimizer included.\n\n",
        kRanks, 100 * kProductShare, 100 * kAttentionForward, 100 * kAttentionBackward,
        100 * kMemoryShare, 100 * kLinkShare);
    std::printf(
        "| config | tokens | products | attention | memory | exchange | optimizer | all (ms) | "
        "step (s) | tokens/s a GPU | MFU |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (int i = 1; i < argc; ++i) print_row(argv[i]);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "roofline: %s\n", error.what());
    return 1;
}
