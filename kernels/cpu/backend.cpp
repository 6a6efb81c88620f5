#include "kernels/cpu/backend.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "comm/communicator.hpp"
#include "core/thread_pool.hpp"
#include "kernels/cpu/products.hpp"
#include "kernels/cpu/register.hpp"
#include "kernels/reference/register.hpp"

namespace polytrain {
namespace {

class CpuBackend final : public Backend {
  public:
    explicit CpuBackend(int threads) : threads_(threads), pool_(threads) {}

    Device device() const override { return {DeviceType::kCpu, 0}; }
    std::string description() const override {
        return fmt::format("CPU, {} thread{}", threads_, threads_ == 1 ? "" : "s");
    }

    // Anonymous maps: page-aligned, zero pages on first touch, huge pages where the system allows.
    void* allocate(size_t bytes) override {
        const size_t length = mapped(bytes);
        void* data =
            ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (data == MAP_FAILED)
            fail(ExitCode::kInternal,
                 "out of memory: {:.1f} MiB asked of the CPU: {}. Lower train.micro_batch, "
                 "model.context or the model's size",
                 static_cast<double>(bytes) / 1048576.0, errno_text(errno));
        ::madvise(data, length, MADV_HUGEPAGE);
        return data;
    }
    void release(void* data, size_t bytes) noexcept override { ::munmap(data, mapped(bytes)); }

    void copy(void* to, const void* from, size_t bytes, CopyKind, StreamHandle) override {
        if (bytes > 0) std::memcpy(to, from, bytes);
    }
    void zero(void* data, size_t bytes, StreamHandle) override {
        if (bytes > 0) std::memset(data, 0, bytes);
    }

    StreamHandle make_stream() override { return nullptr; }
    void destroy_stream(StreamHandle) noexcept override {}
    void synchronize(StreamHandle) override {}

    void register_ops(OpTable& table) override {
        register_cpu_ops(table, pool_);
        register_reference_ops(table);
    }

    std::unique_ptr<Communicator> make_communicator(Communicator&, const DeviceGroup&,
                                                    StreamHandle) override {
        return nullptr;
    }

  private:
    static size_t mapped(size_t bytes) { return bytes == 0 ? 1 : bytes; }

    int threads_;
    ThreadPool pool_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads) {
    return std::make_unique<CpuBackend>(threads);
}

bool cpu_has_bf16() {
#ifdef POLYTRAIN_ONEDNN
    return cpu::Products::has_bf16_instructions();
#else
    return false;
#endif
}

}  // namespace polytrain
