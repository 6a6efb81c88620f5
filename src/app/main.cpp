// The polytrain program: one file per sub-command (command_*.cpp).

#include <CLI/CLI.hpp>
#include <csignal>

#include "app/command_analyze.hpp"
#include "app/command_bench.hpp"
#include "app/command_checkpoint.hpp"
#include "app/command_config.hpp"
#include "app/command_eval.hpp"
#include "app/command_export.hpp"
#include "app/command_import.hpp"
#include "app/command_plan.hpp"
#include "app/command_prepare.hpp"
#include "app/command_report.hpp"
#include "app/command_sample.hpp"
#include "app/command_selftest.hpp"
#include "app/command_sweep.hpp"
#include "app/command_tokenizer.hpp"
#include "app/command_train.hpp"
#include "app/runtime.hpp"
#include "core/error.hpp"
#include "core/report_exception.hpp"

namespace {

int run(int argc, char** argv) {
    using namespace polytrain;
    CLI::App app{"PolyTrain: pretrain Transformers with PolyCom activations and their rivals"};
    app.set_version_flag("--version", POLYTRAIN_VERSION);
    app.require_subcommand(1);
    app.failure_message(CLI::FailureMessage::help);
    add_tokenizer_command(app);
    add_prepare_command(app);
    add_train_command(app);
    add_sweep_command(app);
    add_plan_command(app);
    add_sample_command(app);
    add_eval_command(app);
    add_report_command(app);
    add_analyze_command(app);
    add_checkpoint_command(app);
    add_export_command(app);
    add_import_command(app);
    add_bench_command(app);
    add_config_command(app, activation_catalog);
    add_selftest_command(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    // A closed pipe and a file size limit are write errors, not the end of a run.
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    try {
        return run(argc, argv);
    } catch (...) {
        return static_cast<int>(polytrain::report_exception());
    }
}
