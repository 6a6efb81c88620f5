// Runs one case with some schedules: emulator_cases NAME bug|clean FIRST LAST eager|lazy|ordered.
// Prints how many seeds gave wrong numbers; ends with kWrongNumbers if one did, unless the emulator
// or a sanitizer ends it before. emulator_cases without arguments lists the cases.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "emulator/worker/cases.hpp"
#include "emulator/worker/exit_codes.hpp"

int main(int argc, char** argv) {
    using namespace polytrain::emulator;
    std::vector<Case> cases;
    for (const auto list : {barrier_cases, warp_cases, memory_cases, stream_cases})
        for (const Case& one : list()) cases.push_back(one);
    if (argc == 1)
        for (const Case& one : cases) std::printf("%s\n", std::string(one.name).c_str());
    if (argc != 6) return argc == 1 ? 0 : 2;
    for (const Case& one : cases) {
        if (one.name != argv[1]) continue;
        const auto run = std::string_view(argv[2]) == "bug" ? one.with_bug : one.without;
        int wrong = 0, runs = 0;
        for (int seed = std::atoi(argv[3]); seed <= std::atoi(argv[4]); ++seed, ++runs) {
            const std::string_view mode = argv[5];
            set_schedule({static_cast<uint64_t>(seed), mode != "ordered", mode == "lazy"});
            if (!run()) ++wrong;
        }
        std::printf("wrong numbers in %d of %d\n", wrong, runs);
        return wrong > 0 ? kWrongNumbers : 0;
    }
    return 2;
}
