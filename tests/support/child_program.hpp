#pragma once
// A program, polytrain by default, as a child process that can be sent signals.

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

namespace polytrain::testing {

class ChildProgram {
  public:
    explicit ChildProgram(const std::vector<std::string>& arguments,
                          const std::string& program = POLYTRAIN_PROGRAM);
    ~ChildProgram();  // killed if it still runs
    ChildProgram(const ChildProgram&) = delete;
    ChildProgram& operator=(const ChildProgram&) = delete;

    pid_t id() const { return id_; }
    void send(int signal) const;
    // Waits until this holds, for at most a minute; false if it never does.
    bool wait_until(const std::function<bool()>& condition) const;
    // What it wrote so far.
    std::string out() const;
    std::string err() const;
    // Waits for its end; a signal that ended it is exit code -signal.
    ProgramResult wait();

  private:
    TempFolder folder_;
    pid_t id_ = -1;
};

}  // namespace polytrain::testing
