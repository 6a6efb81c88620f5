#include "report/metrics.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "config/load.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "core/strict_json.hpp"
#include "model/estimate.hpp"
#include "model/transformer.hpp"
#include "report/analyses.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr int kLineDepth = 8;
constexpr int kConfigDepth = 32;

int64_t count_at(const json& line, const char* key, const std::string& where) {
    const json& value = line.at(key);
    if (!value.is_number_unsigned())
        fail(ExitCode::kCorrupt, "{}: \"{}\" is {}, not a count", where, key, value.dump());
    return value.get<int64_t>();
}

std::optional<double> optional_number(const json& line, const char* key) {
    const auto found = line.find(key);
    if (found == line.end() || found->is_null()) return std::nullopt;
    return found->get<double>();
}

// 3 for "layers.3.feed_forward.coefficients", or those that a layer's experts share; nothing for
// others.
std::optional<int64_t> layer_of(std::string_view parameter) {
    constexpr std::string_view kPrefix = "layers.";
    int64_t layer = 0;
    if (!parameter.starts_with(kPrefix)) return std::nullopt;
    const char* end = parameter.data() + parameter.size();
    const auto [stop, error] = std::from_chars(parameter.data() + kPrefix.size(), end, layer);
    const std::string_view rest(stop, static_cast<size_t>(end - stop));
    const bool is_layers =
        rest == ".feed_forward.coefficients" || rest == ".moe.experts.coefficients";
    return error == std::errc() && layer >= 0 && is_layers ? std::optional(layer) : std::nullopt;
}

void read_records(const std::filesystem::path& path, RunMetrics& run) {
    std::vector<MetricsRecord>& records = run.records;
    for_each_metrics_line(path, [&](int64_t step, const json& line, const std::string& where) {
        line.at("loss");  // must be there
        const MetricsRecord record{step,
                                   count_at(line, "tokens", where),
                                   optional_number(line, "loss"),
                                   optional_number(line, "tokens_per_s"),
                                   optional_number(line, "val_loss"),
                                   optional_number(line, "mfu")};
        if (const auto found = line.find("val_losses"); found != line.end())
            run.val_losses = found->get<std::map<std::string, double>>();
        if (const auto found = line.find("coefficients"); found != line.end()) {
            run.coefficients.clear();
            for (const auto& [name, values] : found->get_ref<const json::object_t&>())
                if (const auto layer = layer_of(name))
                    run.coefficients[*layer] = values.get<std::vector<double>>();
        }
        while (!records.empty() && records.back().step >= record.step) records.pop_back();
        records.push_back(record);
    });
    if (records.empty()) fail(ExitCode::kCorrupt, "{}: holds no metrics yet", path.string());
}

void flatten(const json& value, const std::string& key, std::map<std::string, std::string>& out) {
    if (!value.is_object()) {
        out[key] = value.is_string() ? value.get<std::string>() : value.dump();
        return;
    }
    for (const auto& [name, member] : value.items())
        flatten(member, key.empty() ? name : key + "." + name, out);
}

std::optional<int64_t> parameters_of(const std::string& config_text, const std::string& name,
                                     const ActivationCatalog& catalog, ConfigUse use) {
    try {
        const RunConfig config = parse_config_text(config_text, name, catalog, use);
        const Transformer model(config.model, catalog);
        return count_parameters(config.model, model.parameters()).parameters;
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace

void for_each_metrics_line(const std::filesystem::path& path, const ReadMetricsLine& read) {
    const std::string text = read_file(path);
    std::string_view rest = text;
    for (int64_t number = 1; !rest.empty(); ++number) {
        const std::string where = fmt::format("{}:{}", path.string(), number);
        const size_t end = rest.find('\n');
        if (end == std::string_view::npos) {
            log::warn("{}: the last line has no end; it is skipped", where);
            break;
        }
        const json line = parse_strict_json(rest.substr(0, end), where, kLineDepth);
        if (!line.is_object())
            fail(ExitCode::kCorrupt, "{}: wants an object of a step's metrics, found {}", where,
                 line.type_name());
        try {
            read(count_at(line, "step", where), line, where);
        } catch (const json::exception& error) {
            fail(ExitCode::kCorrupt, "{}: {}", where, error.what());
        }
        rest.remove_prefix(end + 1);
    }
}

RunMetrics read_run(const std::filesystem::path& run_folder, const ActivationCatalog& catalog) {
    RunMetrics run;
    const std::filesystem::path named = std::filesystem::absolute(run_folder).lexically_normal();
    run.name = (named.has_filename() ? named : named.parent_path()).filename().string();
    const std::filesystem::path metrics = run_folder / "metrics.jsonl";
    const bool is_trained =
        std::filesystem::exists(metrics) || !std::filesystem::exists(run_folder / "analysis");
    if (is_trained)
        read_records(metrics, run);
    else
        run.records.emplace_back();
    const std::string config = (run_folder / "config.json").string();
    const std::string config_text = read_file(config);
    flatten(parse_strict_json(config_text, config, kConfigDepth), "", run.config);
    run.parameters = parameters_of(config_text, config, catalog,
                                   is_trained ? ConfigUse::kTrain : ConfigUse::kModel);
    run.analyses = read_analyses(run_folder);
    return run;
}

}  // namespace polytrain
