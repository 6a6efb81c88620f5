#include "analysis/effective_rank.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace polytrain {

double effective_rank(std::span<const float> matrix, int64_t rows, int64_t columns,
                      const std::string& name) {
    PT_CHECK(rows > 0 && columns > 0 && std::ssize(matrix) == rows * columns,
             "{} elements of a matrix [{}, {}]", matrix.size(), rows, columns);
    using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const RowMajor> view(matrix.data(), rows, columns);
    if (!view.allFinite())
        fail(ExitCode::kNumerics, "{}: has numbers that are not finite, and so no rank", name);
    const Eigen::MatrixXd a = view.cast<double>();
    Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(std::min(rows, columns), std::min(rows, columns));
    auto lower = gram.selfadjointView<Eigen::Lower>();
    if (rows < columns)
        lower.rankUpdate(a);
    else
        lower.rankUpdate(a.transpose());
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram, Eigen::EigenvaluesOnly);
    if (solver.info() != Eigen::Success)
        fail(ExitCode::kNumerics, "{}: the eigenvalues of its Gram matrix were not found", name);
    const Eigen::ArrayXd squares = solver.eigenvalues();
    const double least = static_cast<double>(squares.size()) *
                         std::numeric_limits<double>::epsilon() * squares.maxCoeff();
    const Eigen::ArrayXd values = (squares > least).select(squares, 0).sqrt();
    const double sum = values.sum();
    if (sum == 0) return 0;
    double entropy = 0;
    for (const double value : values)
        if (value > 0) entropy -= value / sum * std::log(value / sum);
    return std::exp(entropy);
}

}  // namespace polytrain
