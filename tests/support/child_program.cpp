#include "support/child_program.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "support/damage.hpp"

namespace polytrain::testing {

ChildProgram::ChildProgram(const std::vector<std::string>& arguments, const std::string& program) {
    std::vector<std::string> all{program};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& argument : all) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string out = folder_ / "out", err = folder_ / "err";
    id_ = ::fork();
    if (id_ < 0) throw std::runtime_error("cannot fork");
    if (id_ > 0) return;
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) std::signal(signal, SIG_DFL);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0644), 1);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0644), 2);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
}

ChildProgram::~ChildProgram() {
    if (id_ < 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
}

void ChildProgram::send(int signal) const {
    if (::kill(id_, signal) != 0) throw std::runtime_error("cannot send a signal");
}

bool ChildProgram::wait_until(const std::function<bool()>& condition) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

std::string ChildProgram::out() const {
    return slurp(folder_ / "out");
}

std::string ChildProgram::err() const {
    return slurp(folder_ / "err");
}

ProgramResult ChildProgram::wait() {
    int status = 0;
    if (::waitpid(id_, &status, 0) != id_) throw std::runtime_error("cannot wait");
    id_ = -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), slurp(folder_ / "out"),
            err()};
}

}  // namespace polytrain::testing
