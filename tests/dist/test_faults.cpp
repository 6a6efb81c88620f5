// Training that is killed, stopped or asked to stop: the documented exit codes, and it resumes.

#include <csignal>
#include <fstream>

#include "dist/runs.hpp"
#include "support/child_program.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

// A run without end on two ranks that share experts, as a child process.
struct EndlessRun {
    TempFolder folder;
    fs::path out = folder / "run";
    nlohmann::json config = small_moe();
    std::unique_ptr<ChildProgram> job;

    EndlessRun() {
        config["train"]["steps"] = 100000000;
        config["train"]["checkpoint_every"] = 2;
        config["train"]["keep_last"] = 2;
        config["train"]["eval_sequences"] = 4;
        config["optimizer"]["schedule"] = {{"kind", "constant"}};
        config["parallel"]["timeout_s"] = 4;
        start();
    }
    void start() {
        std::vector<std::string> all = mpirun_arguments(2);
        const std::string path = write_config(folder, config, {2, 2, 1}, "config").string();
        for (const std::string& argument :
             {std::string(POLYTRAIN_PROGRAM), std::string("train"), path, std::string("--out"),
              out.string(), std::string("--resume"), std::string("auto")})
            all.push_back(argument);
        job = std::make_unique<ChildProgram>(all, "mpirun");
    }
    bool wait_for_checkpoint() const {
        const auto before = committed_steps(out);
        return job->wait_until([&] {
            const auto now = committed_steps(out);
            return !now.empty() && (before.empty() || now.back() > before.back() + 2);
        });
    }
    // The process of a rank.
    pid_t process_of(int rank) const {
        for (const auto& entry : fs::directory_iterator("/proc")) {
            const std::string name = entry.path().filename().string();
            if (name.find_first_not_of("0123456789") != std::string::npos) continue;
            std::ifstream in(entry.path() / "environ", std::ios::binary);
            const std::string all((std::istreambuf_iterator<char>(in)), {});
            std::ifstream command(entry.path() / "cmdline", std::ios::binary);
            const std::string words((std::istreambuf_iterator<char>(command)), {});
            if (all.find("OMPI_COMM_WORLD_RANK=" + std::to_string(rank)) != std::string::npos &&
                words.find(out.string()) != std::string::npos)
                return static_cast<pid_t>(std::stol(name));
        }
        return -1;
    }
    // One step beyond the newest checkpoint, as one rank: what there is can be gone on with.
    void check_resumes() {
        const int64_t step = committed_steps(out).back();
        config["train"]["steps"] = step + 1;
        const Spread one{1, 1, 0};
        const ProgramResult run =
            train_ranks(write_config(folder, config, one, "config"), one, out, "--resume auto");
        INFO(run.err);
        CHECK(run.exit_code == 0);
        CHECK(run.err.find("resuming from") != std::string::npos);
        CHECK(metrics_of(out).size() == static_cast<size_t>(step + 1));
    }
};

}  // namespace

TEST_CASE("a loss that isn't finite on one rank ends all with 76, whoever shares experts") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    nlohmann::json config = small_moe();
    // One sequence a micro-batch and many tokens: some are on one rank alone.
    config["train"]["batch"] = 4;
    config["train"]["micro_batch"] = 1;
    config["model"]["vocab_size"] = 300;
    for (const Spread& spread : {Spread{2, 1, 0}, Spread{2, 2, 1}}) {
        INFO(spread.text());
        const ProgramResult run =
            run_ranks(2, POLYTRAIN_DIST_RANKS " bad-step '" +
                             write_config(folder, config, spread, "config").string() + "'");
        INFO(run.err);
        CHECK(run.exit_code == 76);
        CHECK(run.err.find("weight embedding.table") != std::string::npos);
    }
}

TEST_CASE("SIGUSR1 to mpirun: all ranks save and end with 75, and the run goes on from there") {
    if (!have_mpirun()) return;
    EndlessRun run;
    REQUIRE(run.wait_for_checkpoint());
    run.job->send(SIGUSR1);
    const ProgramResult result = run.job->wait();
    INFO(result.err);
    CHECK(result.exit_code == 75);
    CHECK(result.err.find("SIGUSR1: stopped after step") != std::string::npos);
    CHECK(static_cast<int64_t>(metrics_of(run.out).size()) == committed_steps(run.out).back());
    run.check_resumes();
}

TEST_CASE("a signal to one rank alone stops all of them") {
    if (!have_mpirun()) return;
    EndlessRun run;
    REQUIRE(run.wait_for_checkpoint());
    REQUIRE(::kill(run.process_of(1), SIGTERM) == 0);
    const ProgramResult result = run.job->wait();
    INFO(result.err);
    CHECK(result.exit_code == 75);
    run.check_resumes();
}

TEST_CASE("a rank that is killed: mpirun says 137, and the last checkpoint is gone on with") {
    if (!have_mpirun()) return;
    EndlessRun run;
    REQUIRE(run.wait_for_checkpoint());
    REQUIRE(::kill(run.process_of(1), SIGKILL) == 0);
    const ProgramResult result = run.job->wait();
    CHECK(result.exit_code == 137);
    run.check_resumes();
}

TEST_CASE("a rank that is stopped: 69 within the timeout, with rank, collective and step") {
    if (!have_mpirun()) return;
    EndlessRun run;
    REQUIRE(run.wait_for_checkpoint());
    const pid_t stopped = run.process_of(1);
    REQUIRE(::kill(stopped, SIGSTOP) == 0);
    const ProgramResult result = run.job->wait();
    INFO(result.err);
    CHECK(result.exit_code == 69);
    CHECK(result.err.find("rank 1 does not answer") != std::string::npos);
    CHECK(result.err.find(", step ") != std::string::npos);
    run.check_resumes();
}
