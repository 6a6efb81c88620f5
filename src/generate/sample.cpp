#include "generate/sample.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"

namespace polytrain {

namespace {

bool likelier(const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
}

double total(const std::vector<Candidate>& all) {
    double sum = 0;
    for (const Candidate& candidate : all) sum += candidate.probability;
    return sum;
}

void keep_top_k(std::vector<Candidate>& all, int64_t k) {
    if (k <= 0 || k >= std::ssize(all)) return;
    std::nth_element(all.begin(), all.begin() + k, all.end(), likelier);
    all.resize(static_cast<size_t>(k));
}

void keep_top_p(std::vector<Candidate>& all, double p) {
    if (p >= 1) return;
    std::sort(all.begin(), all.end(), likelier);
    const double wanted = p * total(all);
    size_t kept = 0;
    double sum = 0;
    do {
        sum += all[kept++].probability;
    } while (kept < all.size() && sum < wanted);
    all.resize(kept);
}

}  // namespace

std::vector<Candidate> candidates(const std::vector<float>& logits, const Sampling& sampling) {
    for (float logit : logits)
        if (!std::isfinite(logit))
            fail(ExitCode::kNumerics, "the model's logits are not finite: its weights are damaged");
    const auto highest = std::max_element(logits.begin(), logits.end());
    if (sampling.temperature <= 0) return {{static_cast<int32_t>(highest - logits.begin()), 1}};
    std::vector<Candidate> all;
    all.reserve(logits.size());
    for (float logit : logits)
        all.push_back({static_cast<int32_t>(all.size()),
                       std::exp((static_cast<double>(logit) - *highest) / sampling.temperature)});
    keep_top_k(all, sampling.top_k);
    keep_top_p(all, sampling.top_p);
    std::sort(all.begin(), all.end(),
              [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
    const double sum = total(all);
    for (Candidate& candidate : all) candidate.probability /= sum;
    return all;
}

int32_t draw_token(const std::vector<float>& logits, const Sampling& sampling, double u) {
    const std::vector<Candidate> all = candidates(logits, sampling);
    for (const Candidate& candidate : all) {
        u -= candidate.probability;
        if (u < 0) return candidate.id;
    }
    // Rounding left a little of u: the likeliest.
    return std::min_element(all.begin(), all.end(), likelier)->id;
}

void generate(std::vector<int32_t> prompt, int64_t context, const SampleOptions& options,
              const std::function<std::vector<float>(const std::vector<int32_t>&)>& logits_after,
              const std::function<void(int32_t)>& emit) {
    PT_CHECK(!prompt.empty() && context > 0, "{} ids, context {}", prompt.size(), context);
    const PhiloxKey key = philox_key(options.seed, "sample");
    std::vector<int32_t> ids = std::move(prompt);
    for (int64_t i = 0; i < options.tokens; ++i) {
        const auto length = static_cast<int64_t>(ids.size());
        const int64_t keep = i == 0 ? context : std::max<int64_t>(1, context / 2);
        if (length > context) ids.erase(ids.begin(), ids.begin() + (length - keep));
        const auto words = philox(key, static_cast<uint64_t>(i));
        ids.push_back(draw_token(logits_after(ids), options, uniform_from(words[0], words[1])));
        emit(ids.back());
    }
}

}  // namespace polytrain
