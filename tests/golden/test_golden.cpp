// The loss and every gradient of small dense models, as PyTorch computed them (make.py).

#include "golden/golden.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("golden: loss and every gradient are PyTorch's, in f32 and by reference in f64") {
    const GoldenFile golden("gradients.safetensors");
    double largest = 0;
    size_t compared = 0;
    for (const std::string activation : {"swiglu", "polyrelu", "polynorm"})
        for (const std::string qk_norm : {"none", "full", "head"})
            for (const bool tied : {false, true})
                for (const DType dtype : {DType::kF32, DType::kF64}) {
                    ModelConfig config = golden_config(activation, qk_norm);
                    config.tied = tied;
                    const ModelRun run(config, 2, dtype, dtype == DType::kF64);
                    const std::string name =
                        activation + "/" + qk_norm + (tied ? "/tied/" : "/untied/");
                    set_weights(run);
                    set_tokens(run, "");
                    INFO(name << " in " << name_of(dtype));
                    CHECK(run.gradients() == Approx(golden[name + "loss"][0]).epsilon(2e-6));
                    for (const Parameter* parameter : run.model.parameters()) {
                        INFO(parameter->name);
                        const double error =
                            relative_error(golden[name + parameter->name],
                                           ModelRun::values(run.pass()[parameter->gradient]));
                        CHECK(error < 2e-5);
                        largest = std::max(largest, error);
                        ++compared;
                    }
                }
    CHECK(compared == 2 * (golden.size() - 18));  // all but the 18 losses
    std::printf("golden: %zu gradients, largest relative error %.1e\n", compared, largest);
}
