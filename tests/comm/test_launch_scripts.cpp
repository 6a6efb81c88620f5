// scripts/launch, with false mpirun and scontrol that write down how they were called.

#include <csignal>

#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/damage.hpp"
#include "support/temp_folder.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

const std::string kScripts = POLYTRAIN_SOURCE_DIR "/scripts/launch/";

struct FalseTools {
    TempFolder folder;

    explicit FalseTools(const std::string& mpirun) {
        tool("mpirun", "echo \"$@\" >> " + at("mpirun.called") + "\n" + mpirun);
        tool("scontrol", "echo \"$@\" >> " + at("scontrol.called"));
    }
    std::string at(const std::string& name) const { return folder / name; }
    void tool(const std::string& name, const std::string& text) const {
        spit(folder / name, "#!/bin/bash\n" + text + "\n");
        fs::permissions(folder / name, fs::perms::owner_all);
    }
    // Of env: these tools first, as job 42.
    std::vector<std::string> command(const std::string& script,
                                     const std::vector<std::string>& arguments) const {
        std::vector<std::string> all{"PATH=" + folder.path().string() + ":" + std::getenv("PATH"),
                                     "SLURM_JOB_ID=42", "LAUNCH=" + kScripts, kScripts + script};
        all.insert(all.end(), arguments.begin(), arguments.end());
        return all;
    }
    ProgramResult run(const std::string& script, const std::vector<std::string>& arguments) const {
        return ChildProgram(command(script, arguments), "env").wait();
    }
};

}  // namespace

TEST_CASE("launch scripts start polytrain with resume", "[launch]") {
    const FalseTools tools("exit 3");
    const auto [script, first] =
        GENERATE(std::pair<std::string, std::string>{"mpirun.sh", "2"},
                 std::pair<std::string, std::string>{"mpirun_hosts.sh", "hosts"});
    const ProgramResult result = tools.run(script, {first, "a b.json", "runs/a", "--set", "x=1"});
    INFO(result.err);
    REQUIRE(result.exit_code == 3);
    REQUIRE_THAT(
        slurp(tools.at("mpirun.called")),
        ContainsSubstring(" polytrain train a b.json --out runs/a --resume auto --set x=1"));
    REQUIRE(tools.run(script, {}).exit_code == 2);
    REQUIRE(tools.run(script, {"2"}).exit_code == 2);
    const ProgramResult help = tools.run(script, {"--help"});
    REQUIRE(help.exit_code == 0);
    REQUIRE_THAT(help.out, ContainsSubstring("Usage: " + script));
}

TEST_CASE("slurm.sbatch queues again what can go on", "[launch]") {
    const int code = GENERATE(75, 69, 137, 205, 0, 70, 76, 78);
    const FalseTools tools("exit " + std::to_string(code));
    const ProgramResult result = tools.run("slurm.sbatch", {"c.json", "runs/a"});
    INFO(code << result.err);
    REQUIRE(result.exit_code == code);
    const bool again = code == 75 || code == 69 || code == 137 || code == 205;
    REQUIRE(slurp(tools.at("scontrol.called")) == (again ? "requeue 42\n" : ""));
    REQUIRE_THAT(slurp(tools.at("mpirun.called")),
                 ContainsSubstring(" polytrain train c.json --out runs/a --resume auto"));
}

TEST_CASE("slurm.sbatch passes one signal on and waits for the save", "[launch]") {
    const int signal = GENERATE(SIGUSR1, SIGTERM);
    // Saves for a second.
    const FalseTools tools(
        "trap 'echo USR1 >> \"$0.signals\"; saving=1' USR1\n"
        "touch \"$0.ready\"\n"
        "while [ -z \"$saving\" ]; do sleep 0.05; done\n"
        "for i in $(seq 20); do sleep 0.05; done\n"
        "exit 75");
    ChildProgram script(tools.command("slurm.sbatch", {"c.json", "runs/a"}), "env");
    REQUIRE(script.wait_until([&] { return fs::exists(tools.at("mpirun.ready")); }));
    script.send(signal);
    REQUIRE(script.wait_until([&] { return fs::exists(tools.at("mpirun.signals")); }));
    script.send(SIGTERM);  // the limit itself
    const ProgramResult result = script.wait();
    INFO(result.err);
    REQUIRE(result.exit_code == 75);
    REQUIRE(slurp(tools.at("mpirun.signals")) == "USR1\n");
    REQUIRE(slurp(tools.at("scontrol.called")) == "requeue 42\n");
}
