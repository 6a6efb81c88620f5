#pragma once

#include <cstdint>
#include <vector>

namespace polytrain {

// The mean cosine, over tokens, of each pair of a model's hidden states: what goes into the first
// layer and what comes out of each.
class Similarity {
  public:
    // Of so many states, [tokens, width] each.
    Similarity(int64_t states, int64_t width);

    // The next tokens: one span for each state, row-major. A row of zeros has cosine 0 with all.
    void add(const std::vector<std::vector<float>>& states);

    int64_t tokens() const { return tokens_; }
    // [state][state], symmetric, 1 on the diagonal; once there was a token.
    std::vector<std::vector<double>> means() const;

  private:
    int64_t states_, width_, tokens_ = 0;
    std::vector<double> sums_;  // [state][state]
};

}  // namespace polytrain
