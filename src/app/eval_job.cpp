#include "app/eval_job.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/clock.hpp"
#include "core/live_line.hpp"
#include "eval/evaluate.hpp"
#include "train/session.hpp"
#include "train/task_evaluation.hpp"

namespace polytrain {
namespace {

using nlohmann::ordered_json;

// "NAME=PATH", or a path alone, which then may have a = where it is there.
struct Named {
    std::string name, path;
};
Named named(const std::string& text) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || std::filesystem::exists(text)) return {"", text};
    return {text.substr(0, equals), text.substr(equals + 1)};
}

std::vector<TaskSource> task_sources(const EvalArguments& arguments) {
    std::map<std::string, std::string> examples;
    std::string for_all;
    for (const std::string& text : arguments.examples) {
        const auto [name, path] = named(text);
        (name.empty() ? for_all : examples[name]) = path;
    }
    std::vector<TaskSource> sources;
    for (const std::string& text : arguments.tasks) {
        const auto [name, path] = named(text);
        const auto own = examples.extract(name);
        sources.push_back({name, path, arguments.dialect, arguments.shots,
                           own.empty() ? for_all : own.mapped(), arguments.limit});
    }
    if (!examples.empty())
        fail(ExitCode::kUsage, "--examples {}=...: --tasks names no such task",
             examples.begin()->first);
    return sources;
}

// What a rank of a launch has to do it with.
struct Evaluator {
    const EvalArguments& arguments;
    const TrainedModel& trained;
    const RunConfig& config;
    Runtime& runtime;
    World& world;

    ordered_json losses_of(const std::string& path, const InferenceSession& session) const {
        EvalModel model;
        model.context = config.model.context;
        model.vocab_size = config.model.vocab_size;
        model.sequences = config.train.micro_batch;
        model.tokenizer = config.data.synthetic ? nullptr : &trained.tokenizer;
        model.loss_sum = [&](const HostBatch& batch) { return session.loss_sum(batch); };
        LiveLine line;
        Stopwatch since_shown;
        const EvalResult result =
            evaluate({path, arguments.format, arguments.dtype, arguments.field}, model,
                     [&](int64_t tokens, double loss) {
                         if (!line.terminal() || since_shown.seconds() < 0.2) return;
                         since_shown.restart();
                         line.show(fmt::format("{}: {} tokens  loss {:.4f}", path, tokens, loss));
                     });
        ordered_json json{{"data", path},
                          {"tokens", result.tokens},
                          {"scored", result.scored},
                          {"loss", result.loss},
                          {"perplexity", result.perplexity},
                          {"bytes", nullptr},
                          {"bits_per_byte", nullptr}};
        if (result.bytes) json["bytes"] = *result.bytes;
        if (result.bits_per_byte) json["bits_per_byte"] = *result.bits_per_byte;
        if (!result.why_no_bytes.empty()) json["why_no_bytes"] = result.why_no_bytes;
        return json;
    }

    // By name, in the order that they were given. Ranks take turns.
    ordered_json all_losses() const {
        auto own = ordered_json::object();
        if (arguments.data.empty()) return own;
        const InferenceSession session(config, *runtime.backend, runtime.ops, trained.checkpoint,
                                       config.train.micro_batch);
        std::vector<std::string> names;
        for (const std::string& text : arguments.data) {
            const auto [name, path] = named(text);
            names.push_back(name.empty() ? path : name);
            if (std::count(names.begin(), names.end(), names.back()) > 1)
                fail(ExitCode::kUsage, "--data: \"{}\" is given twice", names.back());
            if (std::ssize(names) % world.size() == world.rank())
                own[names.back()] = losses_of(path, session);
        }
        ordered_json found, all;
        for (const std::string& text : gather_texts(world.all(), own.dump(), "losses"))
            found.update(ordered_json::parse(text));
        for (const std::string& name : names) all[name] = found[name];
        return all;
    }

    std::vector<TaskResult> all_tasks() const {
        if (arguments.tasks.empty()) return {};
        if (config.data.synthetic)
            fail(ExitCode::kUsage, "{}: trained on synthetic tokens, which no text belongs to",
                 arguments.run);
        const Tokenizer& tokenizer = trained.tokenizer.get_for(config.model.vocab_size);
        const int64_t rows = task_rows(config, arguments.batch_tokens);
        const TaskSet tasks(task_sources(arguments), tokenizer, config.model.context, rows);
        const InferenceSession session(config, *runtime.backend, runtime.ops, trained.checkpoint, 1,
                                       rows, config.model.context);
        LiveLine line;
        const auto show = [&](int64_t done) {
            if (world.rank() == 0 && line.terminal())
                line.show(fmt::format("{}: {} done", tasks.description(), done));
            return false;
        };
        return *tasks.evaluate([&](const PackedSequences& pass) { return session.losses(pass); },
                               world.all(), show);
    }
};

}  // namespace

EvalJobResults run_eval_job(const EvalArguments& arguments, const TrainedModel& trained,
                            const RunConfig& config, Runtime& runtime, World& world) {
    const Evaluator evaluator{arguments, trained, config, runtime, world};
    return {evaluator.all_losses(), evaluator.all_tasks()};
}

}  // namespace polytrain
