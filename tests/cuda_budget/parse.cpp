#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "cuda_budget/budget.hpp"

namespace polytrain::budget {
namespace {

// The number that stands before a text in a line; 0 without it.
int number_before(const std::string& line, const std::string& text) {
    const size_t end = line.find(text);
    if (end == line.npos || end == 0) return 0;
    size_t begin = end;
    while (begin > 0 && std::isdigit(static_cast<unsigned char>(line[begin - 1]))) --begin;
    int number = 0;
    const auto [stop, error] = std::from_chars(line.data() + begin, line.data() + end, number);
    if (error != std::errc() || stop != line.data() + end)
        fail(ExitCode::kCorrupt, "ptxas output: no number before '{}' in '{}'", text, line);
    return number;
}

template <class F>
void for_lines(std::string_view text, F&& f) {
    std::istringstream stream{std::string(text)};
    for (std::string line; std::getline(stream, line);) f(line);
}

// Bits that one instruction moves, from its suffixes: ld.global.nc.v4.u32 has 128.
int access_bits(const std::string& instruction) {
    static const std::regex vector(R"(\.v(\d)\.[a-z](\d+)\b)"), scalar(R"(\.[a-z](\d+)\b)");
    std::smatch match;
    if (std::regex_search(instruction, match, vector))
        return std::stoi(match[1]) * std::stoi(match[2]);
    if (std::regex_search(instruction, match, scalar)) return std::stoi(match[1]);
    return 0;
}

void read_instruction(const std::string& line, KernelCode& code) {
    constexpr int kWide = 128;
    static const std::regex async_copy(R"(cp\.async\.c[ag]\.shared[.:\w]*\.global.*,\s*16\b)");
    if (line.find("ld.global") != line.npos && access_bits(line) >= kWide) code.wide_loads = true;
    if (line.find("st.global") != line.npos && access_bits(line) >= kWide) code.wide_stores = true;
    if (std::regex_search(line, async_copy)) code.wide_loads = true;
    if (line.find(".f64") != line.npos) code.f64 = true;
}

}  // namespace

std::vector<KernelUse> parse_ptxas(std::string_view text) {
    static const std::regex compiling(R"(Compiling entry function '([^']+)' for '([^']+)')");
    static const std::regex properties(R"(Function properties for (\S+))");
    std::vector<KernelUse> uses;
    bool is_entry = false;  // whether the lines that follow are about the last kernel
    for_lines(text, [&](const std::string& line) {
        std::smatch match;
        if (std::regex_search(line, match, compiling)) {
            uses.push_back({.symbol = match[1], .arch = match[2]});
            is_entry = true;
        } else if (std::regex_search(line, match, properties)) {
            is_entry = !uses.empty() && match[1] == uses.back().symbol;
        } else if (is_entry && line.find("bytes stack frame") != line.npos) {
            uses.back().stack = number_before(line, " bytes stack frame");
            uses.back().spill_stores = number_before(line, " bytes spill stores");
            uses.back().spill_loads = number_before(line, " bytes spill loads");
        } else if (!uses.empty() && line.find(": Used ") != line.npos) {
            uses.back().registers = number_before(line, " registers");
            // Of functions it calls, too.
            const int stack = number_before(line, " bytes cumulative stack size");
            uses.back().stack = std::max(uses.back().stack, stack);
            uses.back().static_shared = number_before(line, " bytes smem");
        }
    });
    for (const KernelUse& use : uses)
        if (use.registers == 0)
            fail(ExitCode::kCorrupt, "ptxas output: no registers of {}", use.symbol);
    return uses;
}

std::map<std::string, KernelCode> parse_ptx(std::string_view text) {
    static const std::regex entry(R"(\.entry ([\w$]+)\()");
    static const std::regex function(R"(\.func\s+(?:\([^)]*\)\s*)?([\w$]+)\s*\()");
    static const std::regex bounds(R"(^\.(?:max|req)ntid (\d+)(?:, (\d+))?(?:, (\d+))?)");
    // Of a call the name that is called, which may be on a line of its own.
    static const std::regex call(R"(^\s*(?:call\S*\s+(?:\([^)]*\)\s*,\s*)?)?([\w$]+)\s*,)");
    std::map<std::string, KernelCode> kernels, functions;
    std::map<const KernelCode*, std::set<std::string>> calls;
    KernelCode* current = nullptr;
    for_lines(text, [&](const std::string& line) {
        std::smatch match;
        if (std::regex_search(line, match, entry)) {
            current = &kernels[match[1]];
        } else if (std::regex_search(line, match, function)) {
            current = &functions[match[1]];
        } else if (current == nullptr) {
            return;
        } else if (std::regex_search(line, match, bounds)) {
            current->block = std::stoi(match[1]);
            for (size_t i = 2; i <= 3; ++i)
                if (match[i].matched) current->block *= std::stoi(match[i]);
        } else if (line == "}") {
            current = nullptr;
        } else {
            read_instruction(line, *current);
            if (std::regex_search(line, match, call)) calls[current].insert(match[1]);
        }
    });
    // A kernel does what the functions that it calls do, and a function too.
    for (bool changed = true; changed;) {
        changed = false;
        for (auto* codes : {&functions, &kernels})
            for (auto& [symbol, code] : *codes)
                for (const std::string& name : calls[&code])
                    if (const auto called = functions.find(name);
                        called != functions.end() && called->second.f64 && !code.f64)
                        code.f64 = changed = true;
    }
    return kernels;
}

std::vector<Budget> read_budgets(const std::filesystem::path& path) {
    try {
        std::vector<Budget> budgets;
        const auto json = nlohmann::json::parse(read_file(path));
        for (const auto& item : json.at("kernels")) {
            Budget& budget = budgets.emplace_back();
            for (const auto& [key, value] : item.items()) {
                if (key == "kernel")
                    value.get_to(budget.pattern);
                else if (key == "registers")
                    value.get_to(budget.registers);
                else if (key == "static_shared")
                    value.get_to(budget.static_shared);
                else if (key == "dynamic_shared")
                    value.get_to(budget.dynamic_shared);
                else if (key == "block")
                    value.get_to(budget.block);
                else if (key == "occupancy")
                    value.get_to(budget.occupancy);
                else if (key == "vector_loads")
                    value.get_to(budget.vector_loads);
                else if (key == "vector_stores")
                    value.get_to(budget.vector_stores);
                else if (key == "f64")
                    value.get_to(budget.f64);
                else
                    fail(ExitCode::kCorrupt, "{}: unknown key '{}'", path.string(), key);
            }
            if (budget.pattern.empty() || budget.registers == 0)
                fail(ExitCode::kCorrupt, "{}: a budget needs 'kernel' and 'registers'",
                     path.string());
        }
        return budgets;
    } catch (const nlohmann::json::exception& error) {
        fail(ExitCode::kCorrupt, "{}: {}", path.string(), error.what());
    }
}

}  // namespace polytrain::budget
