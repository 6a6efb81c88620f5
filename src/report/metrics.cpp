#include "report/metrics.hpp"

#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "core/strict_json.hpp"

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

MetricsRecord parse_record(std::string_view text, const std::string& where) {
    const json line = parse_strict_json(text, where, kLineDepth);
    try {
        return {count_at(line, "step", where), count_at(line, "tokens", where),
                line.at("loss").get<double>(), optional_number(line, "tokens_per_s"),
                optional_number(line, "val_loss")};
    } catch (const json::exception& error) {
        fail(ExitCode::kCorrupt, "{}: {}", where, error.what());
    }
}

std::vector<MetricsRecord> read_records(const std::filesystem::path& path) {
    const std::string text = read_file(path);
    std::vector<MetricsRecord> records;
    std::string_view rest = text;
    for (int64_t number = 1; !rest.empty(); ++number) {
        const std::string where = fmt::format("{}:{}", path.string(), number);
        const size_t end = rest.find('\n');
        if (end == std::string_view::npos) {
            log::warn("{}: the last line has no end; it is skipped", where);
            break;
        }
        const MetricsRecord record = parse_record(rest.substr(0, end), where);
        while (!records.empty() && records.back().step >= record.step) records.pop_back();
        records.push_back(record);
        rest.remove_prefix(end + 1);
    }
    if (records.empty()) fail(ExitCode::kCorrupt, "{}: holds no metrics yet", path.string());
    return records;
}

void flatten(const json& value, const std::string& key, std::map<std::string, std::string>& out) {
    if (!value.is_object()) {
        out[key] = value.is_string() ? value.get<std::string>() : value.dump();
        return;
    }
    for (const auto& [name, member] : value.items())
        flatten(member, key.empty() ? name : key + "." + name, out);
}

}  // namespace

RunMetrics read_run(const std::filesystem::path& run_folder) {
    RunMetrics run;
    const std::filesystem::path named = std::filesystem::absolute(run_folder).lexically_normal();
    run.name = (named.has_filename() ? named : named.parent_path()).filename().string();
    run.records = read_records(run_folder / "metrics.jsonl");
    const std::filesystem::path config = run_folder / "config.json";
    flatten(parse_strict_json(read_file(config), config.string(), kConfigDepth), "", run.config);
    return run;
}

}  // namespace polytrain
