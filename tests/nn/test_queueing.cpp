// What layers tell a backend beside ops: ranges for a profiler, and work to repeat.

#include "support/model_run.hpp"
#include "tensor/repeated_work.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// The CPU, with a note of what it is told. It records where `why_not` is empty.
class SpyBackend final : public Backend {
  public:
    explicit SpyBackend(std::string& notes) : notes_(notes) {}
    std::string why_not;

    Device device() const override { return cpu_->device(); }
    std::string description() const override { return cpu_->description(); }
    void* allocate(size_t bytes) override { return cpu_->allocate(bytes); }
    void release(void* data, size_t bytes) noexcept override { cpu_->release(data, bytes); }
    void copy(void* to, const void* from, size_t bytes, CopyKind kind, StreamHandle s) override {
        cpu_->copy(to, from, bytes, kind, s);
    }
    void zero(void* data, size_t bytes, StreamHandle s) override { cpu_->zero(data, bytes, s); }
    StreamHandle make_stream() override { return cpu_->make_stream(); }
    void destroy_stream(StreamHandle s) noexcept override { cpu_->destroy_stream(s); }
    void synchronize(StreamHandle s) override { cpu_->synchronize(s); }
    void register_ops(OpTable& table) override { cpu_->register_ops(table); }
    std::unique_ptr<Communicator> make_communicator(Communicator&, const DeviceGroup&,
                                                    StreamHandle) override {
        return nullptr;
    }

    RecordingHandle record(const std::function<void()>& queue, StreamHandle) override {
        if (!why_not.empty()) fail(ExitCode::kInternal, "{}", why_not);
        notes_ += "record ";
        queue();
        return this;
    }
    void replay(RecordingHandle, StreamHandle) override { notes_ += "replay "; }
    void destroy_recording(RecordingHandle) noexcept override { notes_ += "destroy "; }
    void begin_range(const char* name) override { notes_ += std::string(name) + "( "; }
    void end_range() noexcept override { notes_ += ") "; }

  private:
    std::string& notes_;
    std::unique_ptr<Backend> cpu_ = make_cpu_backend(1);
};

}  // namespace

TEST_CASE("queueing: every layer and phase is a range of the profiler") {
    std::string notes;
    ModelConfig config = small_models()[0];
    config.layers = 1;
    const ModelRun run(config, 1, DType::kF32, false, true, Recompute::kBlock,
                       std::make_unique<SpyBackend>(notes));
    const std::vector<int32_t> ids(static_cast<size_t>(config.context), 1);
    run.set_tokens(ids, ids);
    notes.clear();
    run.gradients();
    CHECK(notes ==
          "forward( layers.0( attention( ) feed_forward( ) ) ) head( ) "
          "backward( layers.0( recompute( attention( ) ) feed_forward( ) attention( ) ) ) ");
}

TEST_CASE("queueing: repeated work is queued, recorded, replayed") {
    std::string notes;
    SpyBackend backend(notes);
    const Stream stream(backend);
    const auto queue = [&] { notes += "queue "; };
    {
        RepeatedWork work(stream, true);
        for (int i = 0; i < 3; ++i) work.run(queue);
        CHECK(work.is_recorded());
    }
    CHECK(notes == "queue record queue replay replay destroy ");
    notes.clear();
    RepeatedWork plain(stream, false);
    for (int i = 0; i < 3; ++i) plain.run(queue);
    CHECK(notes == "queue queue queue ");
    notes.clear();
    backend.why_not = "a device's reason";
    RepeatedWork refused(stream, true);
    for (int i = 0; i < 3; ++i) refused.run(queue);
    CHECK_FALSE(refused.is_recorded());
    CHECK(notes == "queue queue queue ");
}
