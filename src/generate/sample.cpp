#include "generate/sample.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"

namespace polytrain {

int32_t draw_token(const std::vector<float>& logits, double temperature, double u) {
    const auto highest = std::max_element(logits.begin(), logits.end());
    for (float logit : logits)
        if (!std::isfinite(logit))
            fail(ExitCode::kNumerics, "the model's logits are not finite: its weights are damaged");
    if (temperature <= 0) return static_cast<int32_t>(highest - logits.begin());
    std::vector<double> weights;
    weights.reserve(logits.size());
    double sum = 0;
    for (float logit : logits) {
        weights.push_back(std::exp((static_cast<double>(logit) - *highest) / temperature));
        sum += weights.back();
    }
    double left = u * sum;
    for (size_t i = 0; i < weights.size(); ++i) {
        left -= weights[i];
        if (left < 0) return static_cast<int32_t>(i);
    }
    return static_cast<int32_t>(highest - logits.begin());  // u sum was rounded up to sum
}

void generate(std::vector<int32_t> prompt, int64_t context, const SampleOptions& options,
              const std::function<std::vector<float>(const std::vector<int32_t>&)>& logits_after,
              const std::function<void(int32_t)>& emit) {
    PT_CHECK(!prompt.empty() && context > 0, "{} ids, context {}", prompt.size(), context);
    const PhiloxKey key = philox_key(options.seed, "sample");
    std::vector<int32_t> ids = std::move(prompt);
    for (int64_t i = 0; i < options.tokens; ++i) {
        const auto length = static_cast<int64_t>(ids.size());
        if (length > context) ids.erase(ids.begin(), ids.begin() + (length - context));
        const auto words = philox(key, static_cast<uint64_t>(i));
        ids.push_back(
            draw_token(logits_after(ids), options.temperature, uniform_from(words[0], words[1])));
        emit(ids.back());
    }
}

}  // namespace polytrain
