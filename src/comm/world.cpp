#include "comm/world.hpp"

#include "comm/launcher.hpp"
#ifdef POLYTRAIN_MPI
#include "comm/mpi/mpi_world.hpp"
#endif

namespace polytrain {
namespace {

class LocalWorld final : public World {
  public:
    Communicator& all() override { return *all_; }
    std::unique_ptr<Communicator> split(int, std::string, bool) override {
        return make_local_communicator();
    }
    int local_rank() const override { return 0; }
    int local_size() const override { return 1; }
    void set_step(int64_t) override {}
    void set_timeout(double) override {}
    int64_t step() const override { return 0; }
    double timeout() const override { return 0; }
    void set_trace_folder(std::filesystem::path) override {}
    void abort(ExitCode) override {}

  private:
    std::unique_ptr<Communicator> all_ = make_local_communicator();
};

}  // namespace

std::unique_ptr<World> World::open() {
    const int64_t launched = launched_ranks();
    if (launched == 0) return std::make_unique<LocalWorld>();
#ifdef POLYTRAIN_MPI
    return open_mpi_world();
#else
    if (launched == 1) return std::make_unique<LocalWorld>();
    fail(ExitCode::kInternal,
         "started as one of several processes, but this polytrain was built without MPI; "
         "build it with -DPOLYTRAIN_MPI=ON, or start one process");
#endif
}

}  // namespace polytrain
