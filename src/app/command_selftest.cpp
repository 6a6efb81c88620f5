#include "app/command_selftest.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "core/log.hpp"
#include "tensor/backend_library.hpp"

namespace polytrain {
namespace {

struct Arguments {
    std::string device = "cpu", filter;
};

constexpr const char* kProgram = "polytrain_selftest";

std::string suite_path() {
    std::error_code ignored;
    const auto folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
    const std::filesystem::path path = folder / kProgram;
    if (!std::filesystem::exists(path, ignored))
        fail(ExitCode::kInputMissing,
             "{} isn't there: build it with the tests, by cmake -DPOLYTRAIN_TESTS=ON and then "
             "cmake --build with --target test_ops",
             path.string());
    return path.string();
}

// Which cases of the suite: those whose names hold `text`, as Catch2 takes it.
std::string pattern_of(const std::string& text, bool is_cuda) {
    std::string pattern = is_cuda ? "~[slow]~[cpu]" : "~[slow]";
    if (text.empty()) return pattern;
    pattern += '*';
    for (const char c : text) {
        if (std::strchr("\\,[\"", c) != nullptr) pattern += '\\';
        pattern += c;
    }
    return pattern + '*';
}

// Runs the program, whose output is this one's, to its end.
int run_program(const std::string& path, const std::string& pattern) {
    const pid_t child = ::fork();
    if (child < 0) fail(ExitCode::kInternal, "can't start {}: {}", path, std::strerror(errno));
    if (child == 0) {
        ::execl(path.c_str(), kProgram, pattern.c_str(), "--rng-seed", "time", nullptr);
        ::_exit(127);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR) fail(ExitCode::kInternal, "waitpid: {}", std::strerror(errno));
    if (WIFSIGNALED(status))
        fail(ExitCode::kInternal, "{} was ended by signal {}", path, WTERMSIG(status));
    return WEXITSTATUS(status);
}

void run(const Arguments& arguments) {
    const bool is_cuda = arguments.device == "cuda";
    const std::string path = suite_path();
    if (is_cuda) {
        std::string why;
        const auto backend = open_cuda_backend(0, why);
        if (!backend) fail(ExitCode::kBadConfig, "device: \"cuda\": {}", why);
        log::info("selftest on {}", backend->description());
    }
    if (::setenv("POLYTRAIN_TEST_DEVICE", arguments.device.c_str(), 1) != 0)
        fail(ExitCode::kInternal, "setenv: {}", std::strerror(errno));
    if (run_program(path, pattern_of(arguments.filter, is_cuda)) != 0)
        fail(ExitCode::kInternal, "the selftest on {} failed, see above", arguments.device);
}

}  // namespace

void add_selftest_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("selftest", "Compare every op of a device with the reference");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("--device", arguments->device, "cpu or cuda")
        ->check(CLI::IsMember({"cpu", "cuda"}))
        ->capture_default_str();
    command->add_option("--filter", arguments->filter, "Only the cases whose names hold this text");
    command->callback([arguments] { run(*arguments); });
}

}  // namespace polytrain
