#include <cxxabi.h>
#include <fnmatch.h>

#include <charconv>
#include <cstdlib>
#include <memory>

// The toolkit's header compiles without a device and without the run-time library.
#include <cuda_runtime_api.h>

#include <cuda_occupancy.h>

#include "core/error.hpp"
#include "cuda_budget/budget.hpp"

namespace polytrain::budget {
namespace {

// "sm_90a" -> 90.
int number_of(const std::string& arch) {
    int number = 0;
    const std::string_view digits = std::string_view(arch).substr(arch.find('_') + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

// Compute capabilities 8.0, 9.0 and 10.0, from the tables of the CUDA C++ Programming Guide.
cudaOccDeviceProp properties_of(const std::string& arch) {
    const int number = number_of(arch);
    if (number != 80 && number != 90 && number != 100)
        fail(ExitCode::kInternal, "no properties of {} are known here", arch);
    constexpr int kKiB = 1024;
    cudaOccDeviceProp properties;
    properties.computeMajor = number / 10;
    properties.computeMinor = number % 10;
    properties.maxThreadsPerBlock = 1024;
    properties.maxThreadsPerMultiprocessor = 2048;
    properties.regsPerBlock = 65536;
    properties.regsPerMultiprocessor = 65536;
    properties.warpSize = 32;
    properties.sharedMemPerBlock = 48 * kKiB;
    properties.sharedMemPerMultiprocessor = (number == 80 ? 164 : 228) * kKiB;
    properties.sharedMemPerBlockOptin = (number == 80 ? 163 : 227) * kKiB;
    properties.reservedSharedMemPerBlock = kKiB;
    properties.numSms = number == 80 ? 108 : number == 90 ? 132 : 148;
    return properties;
}

}  // namespace

std::string demangled(const std::string& symbol) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
    return status == 0 ? text.get() : symbol;
}

double occupancy_of(const KernelUse& use, int block, int dynamic_shared) {
    const cudaOccDeviceProp properties = properties_of(use.arch);
    cudaOccFuncAttributes attributes;
    attributes.maxThreadsPerBlock = properties.maxThreadsPerBlock;
    attributes.numRegs = use.registers;
    attributes.sharedSizeBytes = static_cast<size_t>(use.static_shared);
    attributes.maxDynamicSharedSizeBytes = properties.sharedMemPerBlockOptin;
    attributes.partitionedGCConfig = PARTITIONED_GC_OFF;
    attributes.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    attributes.numBlockBarriers = 1;
    const cudaOccDeviceState state;
    cudaOccResult result;
    const cudaOccError error = cudaOccMaxActiveBlocksPerMultiprocessor(
        &result, &properties, &attributes, &state, block, static_cast<size_t>(dynamic_shared));
    if (error != CUDA_OCC_SUCCESS)
        fail(ExitCode::kInternal, "cuda_occupancy.h: error {} for {} threads",
             static_cast<int>(error), block);
    return static_cast<double>(result.activeBlocksPerMultiprocessor) * block /
           properties.maxThreadsPerMultiprocessor;
}

const Budget* budget_of(const std::vector<Budget>& budgets, const std::string& symbol) {
    const std::string name = demangled(symbol);
    for (const Budget& budget : budgets)
        if (fnmatch(budget.pattern.c_str(), name.c_str(), 0) == 0) return &budget;
    return nullptr;
}

std::vector<std::string> problems_of(const KernelUse& use, const KernelCode* code,
                                     const Budget* budget) {
    std::vector<std::string> problems;
    const auto add = [&](const std::string& what) {
        problems.push_back(fmt::format("{}: {}: {}", use.arch, demangled(use.symbol), what));
    };
    if (use.spill_stores > 0 || use.spill_loads > 0)
        add(fmt::format("spills registers ({} bytes of stores, {} of loads)", use.spill_stores,
                        use.spill_loads));
    else if (use.stack > 0)
        add(fmt::format("has {} bytes of local memory", use.stack));
    if (budget == nullptr) add("no budget in budgets.json fits its name");
    if (code == nullptr) add("not in the PTX");
    if (budget == nullptr || code == nullptr) return problems;

    if (use.registers > budget->registers)
        add(fmt::format("{} registers, budget {}", use.registers, budget->registers));
    if (use.static_shared > budget->static_shared)
        add(fmt::format("{} bytes of static shared memory, budget {}", use.static_shared,
                        budget->static_shared));
    const int block = code->block > 0 ? code->block : budget->block;
    if (block == 0) {
        add("neither __launch_bounds__ nor a 'block' in its budget");
    } else if (const double occupancy = occupancy_of(use, block, budget->dynamic_shared);
               occupancy < budget->occupancy) {
        add(fmt::format("occupancy {:.2f} with {} threads a block, budget {:.2f}", occupancy, block,
                        budget->occupancy));
    }
    if (budget->vector_loads && !code->wide_loads) add("no 128-bit load of global memory");
    if (budget->vector_stores && !code->wide_stores) add("no 128-bit store to global memory");
    if (!budget->f64 && code->f64) add("computes in f64");
    return problems;
}

}  // namespace polytrain::budget
