#include "app/command_analyze.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/analyses.hpp"
#include "app/output.hpp"
#include "checkpoint/folder.hpp"
#include "core/error.hpp"
#include "core/file.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Arguments {
    std::vector<std::string> runs;
    std::optional<int64_t> step;
    AnalysisData data;
    int threads = 0;
    bool json = false;
};

TrainedModel open(const std::string& run, const Arguments& arguments) {
    TrainedModel trained = open_trained_model(
        arguments.step ? checkpoint_folder(run, *arguments.step) : fs::path(run));
    if (arguments.threads > 0) trained.config.threads = arguments.threads;
    return trained;
}

std::string rank_table(const Json& found) {
    std::string text = fmt::format("{:>5}", "layer");
    for (const auto& [kind, full] : found["full_rank"].items())
        text += fmt::format("{:>18}", fmt::format("{} (of {})", kind, full.get<int64_t>()));
    for (const Json& layer : found["layers"]) {
        text += fmt::format("\n{:>5}", layer["layer"].get<int64_t>());
        for (const auto& [kind, full] : found["full_rank"].items())
            text += fmt::format("{:>18.2f}", layer[kind].get<double>());
    }
    return text + "\n";
}

// Rows and columns: before the first layer, after each.
std::string similarity_table(const Json& found) {
    std::string text;
    for (const Json& row : found["cosine"]) {
        for (const Json& cosine : row) text += fmt::format("{:>7.3f}", cosine.get<double>());
        text += "\n";
    }
    return text;
}

std::string coefficients_table(const Json& found) {
    std::string text = fmt::format("{:>8}  {:<40}{}\n", "step", "parameter", "a0 a1 ...");
    // The first step and the last.
    std::vector<const Json*> steps{&found["steps"].front()};
    if (found["steps"].size() > 1) steps.push_back(&found["steps"].back());
    for (const Json* step : steps)
        for (const auto& [name, values] : (*step)["coefficients"].items()) {
            text += fmt::format("{:>8}  {:<40}", (*step)["step"].get<int64_t>(), name);
            for (const Json& value : values)  // null: not finite in metrics.jsonl
                text += value.is_null() ? fmt::format(" {:>9}", "-")
                                        : fmt::format(" {:>9.5f}", value.get<double>());
            text += "\n";
        }
    return text;
}

std::string activations_table(const Json& found) {
    std::string text =
        fmt::format("{:>5}  {:<7}{:>11}{:>11}{:>11}{:>11}{:>9}{:>11}{:>11}{:>12}\n", "layer", "",
                    "mean", "std", "min", "max", "zeros", "1 %", "99 %", "not finite");
    for (const Json& layer : found["layers"])
        for (const char* side : {"input", "output"}) {
            const Json& values = layer[side];
            text += fmt::format("{:>5}  {:<7}", layer["layer"].get<int64_t>(), side);
            for (const char* key : {"mean", "std", "min", "max"})
                text += fmt::format("{:>11.4g}", values[key].get<double>());
            text += fmt::format("{:>8.2f}%", 100 * values["zeros"].get<double>());
            for (const size_t i : {size_t{1}, values["quantiles"].size() - 2})
                text += fmt::format("{:>11.4g}", values["quantiles"][i].get<double>());
            text += fmt::format("{:>12}\n", values["not_finite"].get<int64_t>());
        }
    return text;
}

// Of each run `find` finds what goes to RUN/analysis/KIND.json and, as `table` or JSON, to the
// output.
template <class Find>
void add(CLI::App* parent, const std::string& kind, const char* what, bool reads_data,
         std::string (*table)(const Json&), Find find) {
    CLI::App* command = parent->add_subcommand(kind, what);
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("RUN", arguments->runs, "Run folders")->required();
    if (kind != "coefficients")
        command
            ->add_option("--step", arguments->step,
                         "This step's checkpoints (default: the newest that verify)")
            ->check(CLI::Range(int64_t{0}, int64_t{1} << 62));
    if (reads_data) {
        CLI::Option* path =
            command->add_option("--data", arguments->data.source.path,
                                "A token file (default: each run's first validation set)");
        command
            ->add_option("--format", arguments->data.source.format,
                         "Of a token file that doesn't tell its own, as in data.train")
            ->check(CLI::IsMember({"auto", "polytrain", "megatron", "npy", "llmc", "raw"}))
            ->capture_default_str()
            ->needs(path);
        command
            ->add_option("--dtype", arguments->data.source.dtype, "Of token files without a header")
            ->check(CLI::IsMember({"auto", "uint16", "uint32"}))
            ->capture_default_str()
            ->needs(path);
        command
            ->add_option("--sequences", arguments->data.sequences, "Windows of it, evenly spaced")
            ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
            ->capture_default_str();
        command->add_option("--threads", arguments->threads, "0: as the run's config")
            ->check(CLI::Range(0, 4096));
    }
    command->add_flag("--json", arguments->json, "Print JSON, a list with an object for each run");
    command->callback([arguments, kind, table, find] {
        Json all = Json::array();
        for (const std::string& run : arguments->runs) {
            if (fs::exists(fs::path(run) / kManifestName))
                fail(ExitCode::kUsage, "{}: is a checkpoint; name its run, and the step by --step",
                     run);
            Json found = find(run, *arguments);
            make_folders(fs::path(run) / "analysis");
            write_file_atomic(fs::path(run) / "analysis" / (kind + ".json"), found.dump(1) + "\n");
            if (!arguments->json) print(run + "\n" + table(found));
            found["run"] = run;
            all.push_back(std::move(found));
        }
        if (arguments->json) print(all.dump(1) + "\n");
    });
}

}  // namespace

void add_analyze_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "analyze", "Ranks, similarities, coefficients, activations (docs/analysis.md)");
    command->require_subcommand(1);
    add(command, "rank", "Effective rank of the feed-forward matrices, by layer", false, rank_table,
        [](const std::string& run, const Arguments& a) { return analyze_rank(open(run, a)); });
    add(command, "similarity", "Mean cosine of the hidden states between layers", true,
        similarity_table, [](const std::string& run, const Arguments& a) {
            return analyze_similarity(open(run, a), a.data);
        });
    add(command, "coefficients", "Learned numbers of the activations over training", false,
        coefficients_table,
        [](const std::string& run, const Arguments&) { return analyze_coefficients(run); });
    add(command, "activations", "What goes into each activation, and what comes out", true,
        activations_table, [](const std::string& run, const Arguments& a) {
            return analyze_activations(open(run, a), a.data);
        });
}

}  // namespace polytrain
