#include "analysis/similarity.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <limits>

#include "core/error.hpp"

namespace polytrain {

Similarity::Similarity(int64_t states, int64_t width)
    : states_(states), width_(width), sums_(static_cast<size_t>(states * states)) {}

void Similarity::add(const std::vector<std::vector<float>>& states) {
    using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    constexpr int64_t kBlock = 256;  // tokens that are looked at in f64 at once
    PT_CHECK(std::ssize(states) == states_, "{} states of {}", states.size(), states_);
    const int64_t rows = std::ssize(states[0]) / width_;
    for (const std::vector<float>& state : states)
        PT_CHECK(std::ssize(state) == rows * width_, "{} elements in rows of {}", state.size(),
                 width_);
    for (int64_t begin = 0; begin < rows; begin += kBlock) {
        std::vector<Eigen::MatrixXd> units;  // rows of length 1
        for (const std::vector<float>& state : states) {
            const Eigen::Map<const RowMajor> block(state.data() + begin * width_,
                                                   std::min(kBlock, rows - begin), width_);
            Eigen::MatrixXd& unit = units.emplace_back(block.cast<double>());
            // A row of zeros stays one.
            constexpr double kLeast = std::numeric_limits<double>::min();
            unit.array().colwise() /= unit.rowwise().norm().array().max(kLeast).eval();
        }
        for (size_t i = 0; i < units.size(); ++i)
            for (size_t j = 0; j < units.size(); ++j)
                sums_[i * units.size() + j] += units[i].cwiseProduct(units[j]).sum();
    }
    tokens_ += rows;
}

std::vector<std::vector<double>> Similarity::means() const {
    PT_CHECK(tokens_ > 0, "no tokens");
    std::vector<std::vector<double>> means(static_cast<size_t>(states_));
    for (size_t i = 0; i < sums_.size(); ++i)
        means[i / means.size()].push_back(sums_[i] / static_cast<double>(tokens_));
    return means;
}

}  // namespace polytrain
