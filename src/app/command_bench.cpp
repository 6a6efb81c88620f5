#include "app/command_bench.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/output.hpp"
#include "app/runtime.hpp"
#include "nn/feed_forward.hpp"
#include "ops/elementwise.hpp"
#include "tensor/timing.hpp"

namespace polytrain {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
    int64_t width = 512, hidden = 3072, tokens = 2048;
    std::string precision = "f32", device = "auto";
    int threads = 0;
    double seconds = 0.1;
    bool json = false;
};

// A feed-forward part in memory, with inputs.
class Part {
  public:
    Part(const Runtime& runtime, const FeedForwardShape& shape, int64_t tokens, DType dtype)
        : runtime_(runtime), shape_(shape), layer_("part", shape), stream_(*runtime.backend) {
        const Planner planner{plan_, runtime.ops, 1, tokens, dtype};
        const Shape outer{tokens, shape.width};
        x_NC_ = planner.saved("x_NC", outer, dtype);
        {
            const MemoryPlan::Scope scope(plan_);
            for (TensorId* id : {&y_NC_, &dy_NC_, &dx_NC_})
                *id = planner.scratch("outer", outer, dtype);
            layer_.plan(planner);
        }
        arena_ = std::make_unique<Arena>(*runtime.backend, plan_);
        for (const Parameter* parameter : layer_.parameters()) {
            stream_.zero(pass()[parameter->gradient]);
            fill(pass()[parameter->value], parameter->decay == DecayClass::kMatrix ? 0.02 : 0.3);
        }
        fill(pass()[x_NC_], 1);
        fill(pass()[dy_NC_], 1);
    }

    Json measure(double least_seconds) const {
        const auto milliseconds = [&](const std::function<void()>& run) {
            return 1e3 * seconds_of(stream_, least_seconds, run);
        };
        const Pass on = pass();
        const auto forward = [&] { layer_.forward(on, on[x_NC_], on[y_NC_]); };
        const double all_forward = milliseconds(forward);
        const double all_backward =
            milliseconds([&] { layer_.backward(on, on[dy_NC_], on[x_NC_], on[dx_NC_]); });
        const ActivationForward activation = shape_.activation_forward(
            planned("up_NX"), planned("coefficients"), planned("hidden_NF"), planned("rstd_NR"));
        const ActivationBackward gradient = shape_.activation_backward(
            activation, planned("dhidden_NF"), planned("dup_NX"), planned("coefficients.gradient"),
            planned("activation.scratch"));
        const auto tokens = static_cast<double>(on[x_NC_].dim(0));
        int64_t multiplied = 0;  // matrix elements
        for (const Parameter* parameter : layer_.parameters())
            if (parameter->decay == DecayClass::kMatrix) multiplied += parameter->shape.elements();
        return {{"hidden", shape_.hidden},
                {"parameters", multiplied},
                {"forward_ms", all_forward},
                {"backward_ms", all_backward},
                {"activation_forward_ms", milliseconds([&] { on.run(activation); })},
                {"activation_backward_ms", milliseconds([&] { on.run(gradient); })},
                {"implementation", runtime_.ops.choice(activation)},
                {"saved_bytes_per_token", static_cast<double>(saved_bytes()) / tokens},
                {"forward_flops_per_token", 2 * multiplied},
                {"backward_flops_per_token", 4 * multiplied}};
    }

  private:
    Pass pass() const { return {runtime_.ops, *arena_, stream_}; }
    void fill(const Tensor& tensor, double size) const {
        pass().run(RandomNormal{tensor, philox_key(1, "bench"), size, 0, 0});
    }
    // What the layer planned under this name.
    Tensor planned(const std::string& name) const { return pass()[plan_.find("part." + name)]; }
    // With the input, which backward needs too.
    size_t saved_bytes() const {
        size_t bytes = 0;
        for (const MemoryPlan::Entry& entry : plan_.entries())
            if (entry.life == Life::kSaved) bytes += entry.bytes();
        return bytes;
    }

    const Runtime& runtime_;
    FeedForwardShape shape_;
    mutable FeedForward layer_;
    MemoryPlan plan_;
    std::unique_ptr<Arena> arena_;
    Stream stream_;
    TensorId x_NC_, y_NC_, dy_NC_, dx_NC_;
};

std::string table(const Json& found) {
    std::string text = fmt::format(
        "{}, {} tokens of width {}, {}\n{:<14}{:>8}{:>12}{:>12}{:>12}{:>14}{:>14}{:>14}{:>14}\n",
        found["device"].get<std::string>(), found["tokens"].get<int64_t>(),
        found["width"].get<int64_t>(), found["precision"].get<std::string>(), "activation",
        "hidden", "parameters", "forward ms", "backward", "its forward", "its backward",
        "saved B/token", "MFLOP/token");
    for (const Json& row : found["activations"])
        text += fmt::format(
            "{:<14}{:>8}{:>12}{:>12.3f}{:>12.3f}{:>14.3f}{:>14.3f}{:>14.0f}{:>14.3f}\n",
            row["activation"].get<std::string>(), row["hidden"].get<int64_t>(),
            row["parameters"].get<int64_t>(), row["forward_ms"].get<double>(),
            row["backward_ms"].get<double>(), row["activation_forward_ms"].get<double>(),
            row["activation_backward_ms"].get<double>(), row["saved_bytes_per_token"].get<double>(),
            (row["forward_flops_per_token"].get<double>() +
             row["backward_flops_per_token"].get<double>()) *
                1e-6);
    return text;
}

void run(const Arguments& arguments) {
    RunConfig config;
    config.device = arguments.device;
    config.threads = arguments.threads;
    config.precision = arguments.precision;
    const auto runtime = make_runtime(config);
    const DType dtype =
        training_precision(config, *runtime->backend) == "bf16" ? DType::kBf16 : DType::kF32;
    Json found{{"device", runtime->backend->description()},
               {"precision", name_of(dtype)},
               {"tokens", arguments.tokens},
               {"width", arguments.width},
               {"activations", Json::array()}};
    const ActivationCatalog& catalog = runtime->ops.activations();
    for (const std::string& name : catalog.names()) {
        const std::string_view base = ActivationCatalog::gated_form(name);
        const bool gated = !base.empty();
        const ActivationInfo* info = catalog.find(gated ? base : std::string_view(name));
        // Three matrices of two thirds the width have the parameters of two, if 3 divides it.
        const int64_t hidden =
            gated ? std::max<int64_t>(1, arguments.hidden * 2 / 3) : arguments.hidden;
        constexpr int kOrder = 3;
        const FeedForwardShape shape{arguments.width, hidden, info, kOrder, gated, {}, {}};
        Json row{{"activation", name}};
        row.update(Part(*runtime, shape, arguments.tokens, dtype).measure(arguments.seconds));
        found["activations"].push_back(std::move(row));
    }
    print(arguments.json ? found.dump(1) + "\n" : table(found));
}

}  // namespace

void add_bench_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("bench", "What parts of a model cost here");
    command->require_subcommand(1);
    CLI::App* activation = command->add_subcommand(
        "activation", "Each activation in a feed-forward part: time, memory, FLOPs");
    const auto arguments = std::make_shared<Arguments>();
    const auto add_count = [&](const char* name, int64_t& value, const char* what) {
        activation->add_option(name, value, what)
            ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
            ->capture_default_str();
    };
    add_count("--width", arguments->width, "Of the part's input and output");
    add_count("--hidden", arguments->hidden,
              "Width inside; gated parts have two thirds of it, rounded down");
    add_count("--tokens", arguments->tokens, "Rows at once");
    activation->add_option("--precision", arguments->precision, "As the config's key")
        ->check(CLI::IsMember({"auto", "f32", "bf16"}))
        ->capture_default_str();
    activation->add_option("--device", arguments->device, "As the config's key")
        ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
        ->capture_default_str();
    activation
        ->add_option("--threads", arguments->threads,
                     "0: OMP_NUM_THREADS where set, else all processors")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
    activation->add_option("--seconds", arguments->seconds, "Of each timing's batches, or more")
        ->check(CLI::Range(0.0, 60.0))
        ->capture_default_str();
    activation->add_flag("--json", arguments->json, "The same as JSON");
    activation->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
