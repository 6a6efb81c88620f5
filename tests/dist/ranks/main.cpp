// What the tests of tests/dist start several ranks of. Each mode is a file beside this one.
//   dist_ranks gradients CONFIG FOLDER MASK STEPS
//   dist_ranks sums
//   dist_ranks layer FOLDER EXPERT
//   dist_ranks bad-step CONFIG
//   dist_ranks resave CONFIG FROM TO

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "comm/world.hpp"
#include "dist/ranks/modes.hpp"

int main(int argc, char** argv) {
    using namespace polytrain::testing;
    const auto world = polytrain::World::open();
    world->set_timeout(60);
    const auto argument = [&](int i) { return std::string(i < argc ? argv[i] : ""); };
    try {
        if (argument(1) == "gradients")
            write_gradients(*world, argument(2), argument(3), argument(4),
                            std::atoi(argument(5).c_str()));
        else if (argument(1) == "sums")
            check_sums(*world);
        else if (argument(1) == "layer")
            run_layer(*world, argument(2), std::atoi(argument(3).c_str()));
        else if (argument(1) == "bad-step")
            make_bad_step(*world, argument(2));
        else if (argument(1) == "resave")
            resave(*world, argument(2), argument(3), argument(4));
        else
            throw std::runtime_error("no such mode");
    } catch (const polytrain::Error& error) {
        std::fprintf(stderr, "rank %d: %s\n", world->rank(), error.what());
        world->abort(error.code());
        return static_cast<int>(error.code());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "rank %d: %s\n", world->rank(), error.what());
        world->abort(polytrain::ExitCode::kInternal);
        return 70;
    }
    return 0;
}
