#include "app/analyses.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "analysis/distribution.hpp"
#include "analysis/effective_rank.hpp"
#include "analysis/similarity.hpp"
#include "app/runtime.hpp"
#include "checkpoint/folder.hpp"
#include "checkpoint/hugging_face/names.hpp"
#include "core/error.hpp"
#include "core/log.hpp"
#include "data/loader.hpp"
#include "report/metrics.hpp"
#include "train/session.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// "up" of a feed-forward part or of its experts, "shared_up" of their shared part; empty for other
// tensors.
std::string matrix_kind(const std::string& name) {
    constexpr std::string_view kPart = ".mlp.", kShared = "shared_expert.", kEnd = "_proj.weight";
    const size_t at = name.find(kPart);
    if (at == std::string::npos || !name.ends_with(kEnd)) return "";
    const size_t begin = name.rfind('.', name.size() - kEnd.size()) + 1;
    const bool is_shared = name.compare(at + kPart.size(), kShared.size(), kShared) == 0;
    return (is_shared ? "shared_" : "") + name.substr(begin, name.size() - kEnd.size() - begin);
}

// A model that keeps its activations, and batches of one sequence to run it over.
class Watched {
  public:
    Watched(const TrainedModel& trained, const AnalysisData& data)
        : config_(in_f32(trained.config)),
          source_(source_of(config_, data)),
          reader_(source_, trained.tokenizer, config_.seed, config_.model.context,
                  config_.model.vocab_size, data.sequences),
          runtime_(make_runtime(config_)),
          session_(config_, *runtime_->backend, runtime_->ops, trained.checkpoint, 1, 0, 0, true) {}

    const RunConfig& config() const { return config_; }
    int64_t tokens() const { return reader_.sequences() * config_.model.context; }
    // Calls f(session) after the pass over each sequence.
    template <class F>
    void for_each_sequence(F&& f) const {
        HostBatch batch(config_.model.context);
        for (int64_t i = 0; i < reader_.sequences(); ++i) {
            reader_.fill(i, 1, batch.ids.data(), batch.targets.data());
            session_.run_layers(batch);
            f(session_);
        }
    }
    // Where a result comes from.
    Json header(const char* kind, const TrainedModel& trained) const {
        return {{"kind", kind},
                {"step", trained.checkpoint.state().step},
                {"data", source_.path.empty() ? "synthetic" : source_.path},
                {"tokens", tokens()}};
    }

  private:
    static RunConfig in_f32(RunConfig config) {
        config.precision = "f32";
        return config;
    }
    static SourceConfig source_of(const RunConfig& config, const AnalysisData& data) {
        if (!data.source.path.empty() || config.data.synthetic) return data.source;
        if (config.data.validation.empty())
            fail(ExitCode::kUsage,
                 "this run's config has no data.validation: give a token file by --data");
        return {.path = config.data.validation.begin()->second};
    }

    RunConfig config_;
    SourceConfig source_;
    ValidationReader reader_;
    std::unique_ptr<Runtime> runtime_;
    InferenceSession session_;
};

Json described(const Distribution& values) {
    return {{"mean", values.mean()},
            {"std", values.deviation()},
            {"min", values.least()},
            {"max", values.most()},
            {"zeros", values.zero_share()},
            {"quantiles", values.quantiles()},
            {"not_finite", values.not_finite()}};
}

// The coefficients that the evaluations of metrics.jsonl have, by step.
std::map<int64_t, Json> coefficients_of_metrics(const fs::path& path) {
    std::map<int64_t, Json> found;
    if (!fs::exists(path)) return found;
    for_each_metrics_line(path, [&](int64_t step, const nlohmann::json& line,
                                    const std::string& /*where*/) {
        // A resumed run did these again.
        found.erase(found.lower_bound(step), found.end());
        const auto coefficients = line.find("coefficients");
        if (coefficients == line.end()) return;
        for (const auto& [name, values] : coefficients->get_ref<const nlohmann::json::object_t&>())
            for (const nlohmann::json& value : values.get_ref<const nlohmann::json::array_t&>())
                if (!value.is_null()) value.get<double>();  // else an error
        found[step] = *coefficients;
    });
    return found;
}

// As metrics.jsonl has them.
Json coefficients_of(const Checkpoint& checkpoint) {
    Json found = Json::object();
    for (const auto& [name, info] : checkpoint.tensors()) {
        if (!name.ends_with(".coefficients")) continue;
        std::vector<float> values(static_cast<size_t>(info.shape.elements()));
        checkpoint.read(name, {values.data(), info.shape, DType::kF32, {}});
        for (auto& [set, numbers] : coefficient_sets(name, info.shape, values))
            found[set] = std::move(numbers);
    }
    return found;
}

}  // namespace

Json analyze_rank(const TrainedModel& trained) {
    const Transformer model(trained.config.model, activation_catalog());
    std::vector<std::map<std::string, std::vector<double>>> layers(
        static_cast<size_t>(trained.config.model.layers));
    Json full = Json::object();
    for (const HuggingFaceTensor& tensor :
         hugging_face_tensors(trained.config.model, model.parameters(), false)) {
        const std::string kind = matrix_kind(tensor.name);
        if (kind.empty()) continue;
        std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
        trained.checkpoint.read(tensor.parameter, tensor.whole, tensor.begin,
                                {values.data(), {std::ssize(values)}, DType::kF32, {}});
        const auto layer = std::stoul(tensor.parameter.substr(std::string("layers.").size()));
        layers[layer][kind].push_back(
            effective_rank(values, tensor.shape[0], tensor.shape[1],
                           fmt::format("{}: {} of {}", trained.checkpoint.folder().string(),
                                       tensor.name, tensor.parameter)));
        full[kind] = std::min(tensor.shape[0], tensor.shape[1]);
    }
    Json rows = Json::array();
    for (const auto& layer : layers) {
        Json& row = rows.emplace_back(Json{{"layer", rows.size()}});
        for (const auto& [kind, ranks] : layer)
            row[kind] = std::accumulate(ranks.begin(), ranks.end(), 0.0) /
                        static_cast<double>(ranks.size());
    }
    return {{"kind", "rank"},
            {"step", trained.checkpoint.state().step},
            {"full_rank", full},
            {"layers", rows}};
}

Json analyze_similarity(const TrainedModel& trained, const AnalysisData& data) {
    const Watched watched(trained, data);
    const ModelConfig& model = watched.config().model;
    std::vector<std::string> names{"embedded_NC"};
    for (int64_t layer = 0; layer < model.layers; ++layer)
        names.push_back(fmt::format("layers.{}.out_NC", layer));
    Similarity similarity(std::ssize(names), model.d_model);
    watched.for_each_sequence([&](const InferenceSession& session) {
        std::vector<std::vector<float>> states;
        for (const std::string& name : names) states.push_back(session.values(name));
        similarity.add(states);
    });
    Json found = watched.header("similarity", trained);
    found["cosine"] = similarity.means();
    return found;
}

Json analyze_activations(const TrainedModel& trained, const AnalysisData& data) {
    const Watched watched(trained, data);
    const ModelConfig& model = watched.config().model;
    const bool is_mixture = model.moe.experts > 0, gated = model.feed_forward.gated;
    const auto hidden =
        static_cast<size_t>(is_mixture ? model.moe.hidden : model.feed_forward.hidden);
    const int64_t rows = watched.tokens() * (is_mixture ? model.moe.top_k : 1);
    const auto count = rows * static_cast<int64_t>(hidden);
    std::vector<std::string> names;
    for (int64_t layer = 0; layer < model.layers; ++layer)
        for (const char* part : is_mixture
                                    ? std::array{"moe.experts.up_RX", "moe.experts.hidden_RF"}
                                    : std::array{"feed_forward.up_NX", "feed_forward.hidden_NF"})
            names.push_back(fmt::format("layers.{}.{}", layer, part));
    std::vector<Distribution> found(names.size(),
                                    Distribution(count, static_cast<int64_t>(hidden)));
    watched.for_each_sequence([&](const InferenceSession& session) {
        for (size_t i = 0; i < names.size(); ++i) {
            const std::vector<float> values = session.values(names[i]);
            // Of a gated part's [gate | up] the gate, which the activation is of.
            const size_t width = gated && i % 2 == 0 ? 2 * hidden : hidden;
            for (size_t row = 0; row < values.size(); row += width)
                found[i].add(std::span(values).subspan(row, hidden));
        }
    });
    Json result = watched.header("activations", trained);
    result["quantiles"] = kQuantiles;
    for (size_t i = 0; i < found.size(); i += 2)
        result["layers"].push_back({{"layer", i / 2},
                                    {"input", described(found[i])},
                                    {"output", described(found[i + 1])}});
    return result;
}

Json analyze_coefficients(const fs::path& run) {
    std::map<int64_t, Json> steps = coefficients_of_metrics(run / "metrics.jsonl");
    for (const int64_t step : committed_steps(run)) {
        if (steps.contains(step)) continue;
        try {
            const Json found = coefficients_of(Checkpoint::open(checkpoint_folder(run, step)));
            if (!found.empty()) steps[step] = found;
        } catch (const Error& error) {  // damaged, or removed meanwhile by who trains it
            log::warn("step {} is passed over: {}", step, error.what());
        }
    }
    if (steps.empty())
        fail(ExitCode::kInputMissing,
             "{}: neither metrics.jsonl nor a checkpoint has coefficients of activations",
             run.string());
    Json rows = Json::array();
    for (const auto& [step, coefficients] : steps)
        rows.push_back({{"step", step}, {"coefficients", coefficients}});
    return {{"kind", "coefficients"}, {"steps", rows}};
}

}  // namespace polytrain
