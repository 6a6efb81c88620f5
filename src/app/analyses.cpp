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
#include "data/formats/open.hpp"
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

// Windows of a token file, evenly spaced as a ValidationReader's, which takes no format.
class ToldFile {
  public:
    ToldFile(const AnalysisData& data, const DataTokenizer& tokenizer, const ModelConfig& model)
        : context_(model.context) {
        OpenedTokens opened =
            open_tokens({.path = data.path, .format = data.format, .dtype = data.dtype}, tokenizer,
                        model.vocab_size);
        tokens_ = std::move(opened.tokens);
        if (!opened.tokenizer_known)
            log::info("{}: the file doesn't say which tokenizer made it; it is taken to be \"{}\"",
                      data.path, tokenizer.name());
        windows_ = (tokens_->tokens() - 1) / context_;
        if (windows_ < 1)
            fail(ExitCode::kCorrupt, "{}: holds {} tokens; a window of context {} takes {}",
                 data.path, tokens_->tokens(), context_, context_ + 1);
        sequences_ = std::min(windows_, data.sequences);
    }
    int64_t sequences() const { return sequences_; }
    void fill(int64_t i, HostBatch& batch) const {
        const auto window = static_cast<int64_t>(static_cast<__int128>(i) * windows_ / sequences_);
        tokens_->read(window * context_, context_, batch.ids.data());
        tokens_->read(window * context_ + 1, context_, batch.targets.data());
    }

  private:
    std::unique_ptr<TokenSource> tokens_;
    int64_t context_, windows_ = 0, sequences_ = 0;
};

// A model that keeps its activations, and batches of one sequence to run it over.
class Watched {
  public:
    Watched(const TrainedModel& trained, const AnalysisData& data)
        : config_(in_f32(trained.config)),
          path_(path_of(config_, data)),
          file_(data.path.empty()
                    ? nullptr
                    : std::make_unique<ToldFile>(data, trained.tokenizer, config_.model)),
          reader_(file_ != nullptr
                      ? nullptr
                      : std::make_unique<ValidationReader>(
                            config_.data, trained.tokenizer, path_, config_.seed,
                            config_.model.context, config_.model.vocab_size, data.sequences)),
          runtime_(make_runtime(config_)),
          session_(config_, *runtime_->backend, runtime_->ops, trained.checkpoint, 1, 0, 0, true) {}

    const RunConfig& config() const { return config_; }
    int64_t tokens() const { return sequences() * config_.model.context; }
    // Calls f(session) after the pass over each sequence.
    template <class F>
    void for_each_sequence(F&& f) const {
        HostBatch batch(config_.model.context);
        for (int64_t i = 0; i < sequences(); ++i) {
            if (file_ != nullptr)
                file_->fill(i, batch);
            else
                reader_->fill(i, 1, batch.ids.data(), batch.targets.data());
            session_.run_layers(batch);
            f(session_);
        }
    }
    // Where a result comes from.
    Json header(const char* kind, const TrainedModel& trained) const {
        return {{"kind", kind},
                {"step", trained.checkpoint.state().step},
                {"data", path_.empty() ? "synthetic" : path_},
                {"tokens", tokens()}};
    }

  private:
    static RunConfig in_f32(RunConfig config) {
        config.precision = "f32";
        return config;
    }
    static std::string path_of(const RunConfig& config, const AnalysisData& data) {
        if (!data.path.empty() || config.data.synthetic) return data.path;
        if (config.data.validation.empty())
            fail(ExitCode::kUsage,
                 "this run's config has no data.validation: give a token file by --data");
        return config.data.validation.begin()->second;
    }

    int64_t sequences() const {
        return file_ != nullptr ? file_->sequences() : reader_->sequences();
    }

    RunConfig config_;
    std::string path_;
    // What is given by --data; else what the config has.
    std::unique_ptr<ToldFile> file_;
    std::unique_ptr<ValidationReader> reader_;
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

// Of a set for each expert, the whole: [[...], ...].
Json coefficients_of(const Checkpoint& checkpoint) {
    Json found = Json::object();
    for (const auto& [name, info] : checkpoint.tensors()) {
        if (!name.ends_with(".coefficients")) continue;
        std::vector<float> values(static_cast<size_t>(info.shape.elements()));
        checkpoint.read(name, {values.data(), info.shape, DType::kF32, {}});
        const auto width = info.shape[info.shape.rank() - 1];
        if (info.shape.rank() == 1) {
            found[name] = std::vector<double>(values.begin(), values.end());
            continue;
        }
        // As metrics.jsonl names them.
        const std::string layer = name.substr(0, name.rfind('.'));
        for (int64_t e = 0; e < info.shape[0]; ++e)
            found[fmt::format("{}.{}.coefficients", layer, e)] =
                std::vector<double>(values.begin() + e * width, values.begin() + (e + 1) * width);
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
