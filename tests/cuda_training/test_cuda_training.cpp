// The CUDA backend trains what the CPU does: whole steps over the emulator and the stand-ins of
// CUDA's libraries (tests/cuda_emulator), in one process and in several.

#include "dist/runs.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

const std::string kEmulated = "POLYTRAIN_TEST_DEVICE=cuda POLYTRAIN_CUDA_LIBRARY=" +
                              std::string("'" POLYTRAIN_EMULATED_LIBRARY "'");

struct Way {
    std::string precision = "f32";
    std::string recompute = "none";
    bool lazy = false;
    int seed = 1;
    int expert_rows = 0;
    std::string environment() const {
        return kEmulated + " POLYTRAIN_EMULATOR=seed=" + std::to_string(seed) +
               (lazy ? ",lazy" : "");
    }
    // Of a tensor's largest element.
    double tolerance() const { return precision == "f32" ? 1e-5 : 2e-2; }
};

nlohmann::json config_of(nlohmann::json config, const Way& way) {
    config["precision"] = way.precision;
    config["train"]["recompute"] = way.recompute;
    config["train"]["batch"] = 8;
    config["parallel"]["expert_rows"] = way.expert_rows;
    config["optimizer"]["lr"] = 0.004;  // at 0.01 rounding to bf16 alone parts the curves
    return config;
}

// Loss and raw gradients of the first step, then, where `steps` is more than one, the losses of so
// many, against the CPU's with what its routers chose.
void check_against_cpu(const nlohmann::json& base, const Spread& spread, const Way& way,
                       int steps) {
    INFO(spread.text() << ", " << way.precision << ", recompute " << way.recompute
                       << (way.lazy ? ", lazy" : ""));
    const nlohmann::json config = config_of(base, way);
    for (const int count : steps > 1 ? std::vector<int>{1, steps} : std::vector<int>{1}) {
        const TempFolder routes;
        const std::string folder = routes.path().string();
        const Gradients cpu =
            gradients_of(config, spread, "uneven", count, "POLYTRAIN_ROUTES=record:" + folder);
        const Gradients cuda =
            gradients_of(config, spread, "uneven", count,
                         way.environment() + " POLYTRAIN_ROUTES=replay:" + folder);
        const std::vector<double> expected = cpu.summary["losses"], actual = cuda.summary["losses"];
        if (count == 1) {
            CHECK(std::fabs(actual[0] - expected[0]) <= way.tolerance() * expected[0]);
            check_same(cpu.tensors, cuda.tensors, way.tolerance());
            continue;
        }
        for (size_t i = 0; i < expected.size(); ++i) {
            INFO("step " << i + 1);
            CHECK(std::fabs(actual[i] - expected[i]) <= 0.01 * expected[i]);
        }
        CHECK(actual.back() < 0.95 * actual.front());
    }
}

}  // namespace

TEST_CASE("cuda: a dense model trains as on the CPU") {
    if (!have_mpirun()) return;
    check_against_cpu(small_dense(), {1, 1, 0}, {}, 30);
    check_against_cpu(small_dense(), {2, 1, 2}, {"bf16", "block", true, 3}, 30);
}

TEST_CASE("cuda: a mixture of experts trains as on the CPU") {
    if (!have_mpirun()) return;
    check_against_cpu(small_moe(), {2, 2, 1}, {"f32", "none", true, 5}, 30);
    // All tokens at two of the experts are 48 rows: they come in waves.
    check_against_cpu(small_moe(), {4, 2, 0}, {"bf16", "activation", false, 2, 24}, 30);
}

TEST_CASE("cuda: micro-batches launched as graphs leave the same bits") {
    if (!have_mpirun()) return;
    // Of two ranks the last micro-batch of a step sends gradients, and is no graph.
    for (const Spread& spread : {Spread{1, 1, 0}, Spread{2, 1, 1}})
        for (const char* recompute : {"none", "block"}) {
            INFO(spread.text() << ", recompute " << recompute);
            const Way way{"bf16", recompute, true, 4};
            nlohmann::json config = config_of(small_dense(), way);
            const auto run = [&](bool graph) {
                config["train"]["cuda_graph"] = graph;
                return gradients_of(config, spread, "uneven", 3, way.environment());
            };
            const Gradients with = run(true), without = run(false);
            CHECK(with.summary["graph"] == true);
            CHECK(without.summary["graph"] == false);
            CHECK(with.summary["losses"] == without.summary["losses"]);
            check_same(with.tensors, without.tensors, 0);
        }
}

TEST_CASE("cuda: every layout, precision, recompute and order of streams", "[slow]") {
    if (!have_mpirun()) return;
    int seed = 10;
    for (const Spread& spread :
         {Spread{1, 1, 0}, Spread{2, 1, 1}, Spread{2, 2, 0}, Spread{4, 1, 2}, Spread{4, 2, 1}})
        for (const char* precision : {"f32", "bf16"})
            for (const char* recompute : {"none", "activation", "block"})
                for (const bool lazy : {false, true}) {
                    // Gradients of all; curves, which take longer, of one in seven.
                    const int steps = seed % 7 == 0 ? 30 : 1;
                    check_against_cpu(small_moe(), spread,
                                      {precision, recompute, lazy, ++seed, lazy ? 24 : 0}, steps);
                    if (spread.expert == 1)
                        check_against_cpu(small_dense(), spread, {precision, recompute, lazy, seed},
                                          steps);
                }
}

TEST_CASE("cuda: the same bits on every run, lazy or not, and after a resume") {
    if (!have_mpirun()) return;
    const TempFolder folder;
    for (const bool experts : {false, true}) {
        INFO(experts);
        nlohmann::json config = config_of(experts ? small_moe() : small_dense(), {"bf16"});
        config["device"] = "cuda";
        config["train"]["steps"] = 6;
        config["train"]["checkpoint_every"] = 3;
        const Spread spread{2, experts ? 2 : 1, 1};
        const std::string name = experts ? "experts" : "dense";
        const auto path = write_config(folder, config, spread, name);
        const auto train = [&](const std::string& run, const Way& way, const std::string& more) {
            const ProgramResult result =
                train_ranks(path, spread, folder / (name + run), more, way.environment());
            INFO(result.err);
            REQUIRE(result.exit_code == 0);
            return Checkpoint::open(checkpoint_folder(folder / (name + run), 6));
        };
        const Checkpoint once = train("-once", {"bf16", "none", false, 1}, "");
        check_same(once, train("-again", {"bf16", "none", true, 7}, ""), 0);
        // From step 3, as if the run had been killed after it.
        std::filesystem::remove_all(checkpoint_folder(folder / (name + "-again"), 6));
        check_same(once, train("-again", {"bf16", "none", true, 8}, "--resume auto"), 0);
    }
}
