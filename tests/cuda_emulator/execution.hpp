#pragma once
// The execution model of CUDA on the host: a grid's blocks run one after another, each thread of a
// block as a fiber, in an order drawn from a seed. Barriers, shuffles, votes and matrix fragments
// are meetings of fibers: the last to arrive does the work of all.
//
// What is checked always, with file and line: divergent barriers, barriers and warp meetings that
// exited threads would have to join, deadlock, lanes that meet at different calls, misaligned
// addresses, launch limits. Shared and device memory begin as NaN; a cp.async is done when it is
// waited for. Under ASan shared arrays have red zones; under TSan every CUDA thread is a TSan fiber
// of its own, ordered by barriers, __syncwarp, launches, streams and events alone, so that a
// missing one is a reported race.
//
// What it can't show: the hardware's own arithmetic and memory order, inline PTX, cooperative
// grids, clusters, TMA, wgmma, blocks that wait for one another.

#include <cuda_runtime_api.h>
#include <vector_types.h>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace polytrain::emulator {

// Where in a kernel a call stands.
struct Place {
    const char* file;
    int line;
};

// What a thread knows of itself.
struct Thread {
    uint3 index, block;
    dim3 block_size, grid_size;
    int lane;
};
// Of the fiber that runs.
extern Thread* current;

// How fibers, blocks and streams are scheduled. From the environment's
// POLYTRAIN_EMULATOR, "seed=7,lazy" or "ordered", or a test.
struct Schedule {
    uint64_t seed = 1;
    bool random = true;  // else threads and blocks in their order
    bool lazy = false;   // streams: work is done when the host waits for it, not before
};
Schedule& schedule();
// Draws the order of what follows anew from the seed.
void set_schedule(const Schedule& schedule);

// Prints a message and ends the process with kExitCode.
inline constexpr int kExitCode = 86;
[[noreturn]] void die(const char* format, ...) __attribute__((format(printf, 1, 2)));

// What a kernel's thread calls, by the names that device.hpp gives these.
void sync_threads(Place place);
void sync_warp(unsigned mask, Place place);
// `value` of `bytes` becomes that of lane `source`.
void shuffle(unsigned mask, void* value, size_t bytes, int source, Place place);
unsigned ballot(unsigned mask, bool predicate, Place place);
void mma_m16n8k16_bf16(float* d, const uint32_t* a, const uint32_t* b, Place place);
void ldmatrix_x4(uint32_t* registers, const void* row, bool transposed, Place place);
void cp_async(void* shared, const void* global, int bytes, int valid, Place place);
void cp_async_commit();
void cp_async_wait(int groups_left);
// The block's array that `key` stands for; NaN bytes when first asked for.
void* shared_array(const void* key, size_t bytes);
void* dynamic_shared();

inline void check_aligned(const void* address, unsigned bytes, Place place) {
    if (reinterpret_cast<uintptr_t>(address) % bytes != 0)
        die("%s:%d: an access of %u bytes at %p, which isn't aligned to them", place.file,
            place.line, bytes, address);
}

// Runs a grid at once; `body` is one thread's work.
void run_grid(dim3 grid, dim3 block, size_t dynamic_bytes, const std::function<void()>& body);
// As cudaLaunchKernel: queues it on the stream, or says what of the launch is wrong. `kernel`
// stands for what cudaFuncSetAttribute allowed.
cudaError_t launch(const void* kernel, dim3 grid, dim3 block, size_t dynamic_bytes,
                   cudaStream_t stream, std::function<void()> body);
// Ends the process unless it is null or device memory: what a kernel's pointer arguments must be.
void check_kernel_pointer(const void* pointer, int argument);
// Ends the process unless [pointer, pointer + bytes) is in one live device allocation.
void check_device_range(const void* pointer, size_t bytes, const char* what);

// Queues host code that acts as a library's kernel (stand-ins of libraries).
void enqueue(cudaStream_t stream, std::function<void()> work);
// The same for work that goes on elsewhere: the stream stays at it until `done` answers true.
void enqueue_until(cudaStream_t stream, std::function<bool()> done);

}  // namespace polytrain::emulator
