#pragma once
// What nvcc made of each kernel, and what the kernel may use (kernels/cuda/budgets.json).

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace polytrain::budget {

// One kernel on one architecture, as `ptxas -v` tells it.
struct KernelUse {
    std::string symbol, arch;  // "_ZN...", "sm_90a"
    int registers = 0, static_shared = 0;
    int stack = 0, spill_stores = 0, spill_loads = 0;  // bytes of local memory
};

// What the PTX of a kernel shows.
struct KernelCode {
    int block = 0;                                 // threads by __launch_bounds__; 0: none given
    bool wide_loads = false, wide_stores = false;  // of global memory, 128 bits or more at once
    bool f64 = false;
};

struct Budget {
    std::string pattern;  // a shell pattern for the demangled name
    int registers = 0, static_shared = 0;
    int dynamic_shared = 0;  // what its launch asks for
    int block = 0;           // where the kernel has no __launch_bounds__
    double occupancy = 0;    // least share of the threads that a multiprocessor can hold
    bool vector_loads = false, vector_stores = false;  // must have 128-bit ones
    bool f64 = false;                                  // may compute in double
};

// What is malformed throws exit 65.
std::vector<KernelUse> parse_ptxas(std::string_view text);
std::map<std::string, KernelCode> parse_ptx(std::string_view text);
std::vector<Budget> read_budgets(const std::filesystem::path& path);

std::string demangled(const std::string& symbol);

// Share of a multiprocessor's threads that run at once, 0 to 1, by NVIDIA's cuda_occupancy.h.
double occupancy_of(const KernelUse& use, int block, int dynamic_shared);

// The first budget whose pattern fits; null: none does.
const Budget* budget_of(const std::vector<Budget>& budgets, const std::string& symbol);

// A line for each way in which a kernel breaks its budget. Local memory is never allowed.
std::vector<std::string> problems_of(const KernelUse& use, const KernelCode* code,
                                     const Budget* budget);

}  // namespace polytrain::budget
