#pragma once
// World: all processes of a launch. Started by mpirun (or a launcher that speaks PMI) there are as
// many as it says, through MPI; else one, and MPI is not touched.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"
#include "core/error.hpp"

namespace polytrain {

class World {
  public:
    // Under a launcher starts MPI; call it once, before threads are made but after StopSignals.
    // Started by a launcher, but this program was built without MPI: exit 70.
    static std::unique_ptr<World> open();
    virtual ~World() = default;
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    // The group of all ranks.
    virtual Communicator& all() = 0;
    // The group of the ranks that give the same `color`, in their order; every rank must call it.
    // `name` is for messages ("expert group 0"). A `patient` group's calls may take for ever (they
    // wait for disks), as long as their peers are alive.
    virtual std::unique_ptr<Communicator> split(int color, std::string name, bool patient) = 0;

    int rank() { return all().rank(); }
    int size() { return all().size(); }
    // Among the ranks of this machine.
    virtual int local_rank() const = 0;
    virtual int local_size() const = 0;

    // What the watchdog tells: the step that calls belong to from now on, and how long a call may
    // wait for a peer; then it names the rank that is missing, the call and the step on standard
    // error, and ends the job with exit code 69. 0 seconds: it never does. The last calls are then
    // written as JSON into `trace_folder`/comm-trace-rank-N.json, where one is set.
    virtual void set_step(int64_t step) = 0;
    virtual void set_timeout(double seconds) = 0;
    virtual int64_t step() const = 0;
    virtual double timeout() const = 0;
    virtual void set_trace_folder(std::filesystem::path trace_folder) = 0;

    // Ends the whole job with this code: all other ranks are killed. Does not return where there
    // are other ranks; with one rank does nothing.
    virtual void abort(ExitCode code) = 0;

  protected:
    World() = default;
};

}  // namespace polytrain
