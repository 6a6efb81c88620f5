// cuda_budget_check BUDGETS FOLDER: checks every NAME.ARCH.ptxas.txt in a folder, with NAME.ptx
// beside it, against the budgets. Prints a table; exits 1 with a line for each problem.

#include <cstdio>
#include <map>

#include "core/error.hpp"
#include "core/file.hpp"
#include "cuda_budget/budget.hpp"

namespace polytrain::budget {
namespace {

// "scale<float>" of "void polytrain::cuda::(anonymous namespace)::scale<float>(float const*)".
std::string short_name(const std::string& symbol) {
    std::string name = demangled(symbol);
    for (const std::string_view part : {"void ", "polytrain::cuda::", "(anonymous namespace)::"})
        for (size_t at = name.find(part); at != name.npos; at = name.find(part))
            name.erase(at, part.size());
    return name.substr(0, name.find('('));
}

int check(const std::filesystem::path& budget_file, const std::filesystem::path& folder) {
    const std::vector<Budget> budgets = read_budgets(budget_file);
    constexpr std::string_view kSuffix = ".ptxas.txt";
    std::map<std::string, std::filesystem::path> files;  // in order
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (const std::string name = entry.path().filename(); name.ends_with(kSuffix))
            files[name.substr(0, name.size() - kSuffix.size())] = entry.path();

    std::vector<std::string> problems;
    int kernels = 0;
    fmt::print("| arch | registers | shared | block | occupancy | kernel |\n");
    fmt::print("| --- | ---: | ---: | ---: | ---: | --- |\n");
    for (const auto& [name, path] : files) {
        const std::string source = name.substr(0, name.rfind('.'));
        const auto codes = parse_ptx(read_file(folder / (source + ".ptx")));
        for (const KernelUse& use : parse_ptxas(read_file(path))) {
            const auto found = codes.find(use.symbol);
            const KernelCode* code = found == codes.end() ? nullptr : &found->second;
            const Budget* budget = budget_of(budgets, use.symbol);
            for (const std::string& problem : problems_of(use, code, budget))
                problems.push_back(fmt::format("{}.cu: {}", source, problem));
            ++kernels;
            if (budget == nullptr || code == nullptr) continue;
            const int block = code->block > 0 ? code->block : budget->block;
            const int shared = use.static_shared + budget->dynamic_shared;
            const double occupancy =
                block > 0 ? occupancy_of(use, block, budget->dynamic_shared) : 0;
            fmt::print("| {} | {} | {} | {} | {:.0f} % | `{}` |\n", use.arch, use.registers, shared,
                       block, 100 * occupancy, short_name(use.symbol));
        }
    }
    std::fflush(stdout);
    for (const std::string& problem : problems) fmt::print(stderr, "{}\n", problem);
    fmt::print(stderr, "{} kernels, {} problems\n", kernels, problems.size());
    return problems.empty() ? 0 : 1;
}

}  // namespace
}  // namespace polytrain::budget

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: cuda_budget_check BUDGETS FOLDER\n");
        return 2;
    }
    try {
        return polytrain::budget::check(argv[1], argv[2]);
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
