// What test_comm starts as several ranks: `comm_ranks CASE [ARGUMENT]...`.

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "ranks.hpp"

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    try {
        if (arguments.empty()) throw std::runtime_error("no case");
        for (const auto& [name, run] : ranks::collective_cases())
            if (name == arguments[0]) return run(arguments);
        for (const auto& [name, run] : ranks::fault_cases())
            if (name == arguments[0]) return run(arguments);
        throw std::runtime_error("no such case: " + arguments[0]);
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
