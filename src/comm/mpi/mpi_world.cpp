#include "comm/mpi/mpi_world.hpp"

#include <utility>

#include "comm/mpi/engine.hpp"
#include "comm/mpi/mpi_communicator.hpp"

namespace polytrain {
namespace {

class MpiWorld final : public World {
  public:
    explicit MpiWorld(int64_t chunk) : engine_(chunk), all_(engine_, engine_.all()) {}

    ~MpiWorld() override {
        // MPI ends only when all ranks have come to their end, which none may watch over in there.
        barrier(all_, "end of the program");
    }

    Communicator& all() override { return all_; }

    std::unique_ptr<Communicator> split(int color, std::string name, bool patient) override {
        // MPI_Comm_split blocks the engine, so nobody begins before all are here.
        barrier(all_, "before the split into " + name);
        auto group = std::make_shared<Group>();
        const int id = ++splits_;
        const auto start = [&](Requests&) {
            MPI_Comm part = MPI_COMM_NULL;
            mpi_check(MPI_Comm_split(engine_.all()->comm, color, engine_.all()->rank, &part),
                      "MPI_Comm_split");
            *group = describe_group(id, name, patient, part);
        };
        engine_.post(engine_.all(), {"split", name, ""}, start)->wait();
        return std::make_unique<MpiCommunicator>(engine_, group);
    }

    int local_rank() const override { return engine_.local_rank(); }
    int local_size() const override { return engine_.local_size(); }
    void set_step(int64_t step) override { engine_.set_step(step); }
    void set_timeout(double seconds) override { engine_.set_timeout(seconds); }
    int64_t step() const override { return engine_.step(); }
    double timeout() const override { return engine_.timeout(); }
    void set_trace_folder(std::filesystem::path folder) override {
        engine_.set_trace_folder(std::move(folder));
    }
    void abort(ExitCode code) override {
        if (all_.size() > 1) engine_.abort(code);
    }

  private:
    Engine engine_;
    MpiCommunicator all_;
    int splits_ = 0;
};

}  // namespace

std::unique_ptr<World> open_mpi_world(int64_t chunk) {
    return std::make_unique<MpiWorld>(chunk);
}

}  // namespace polytrain
