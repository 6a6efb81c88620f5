#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/append_file.hpp"
#include "train/metrics.hpp"

namespace polytrain {

// Scalars for TensorBoard: loss, grad_norm, lr, tokens_per_s, mfu, val/NAME and
// coefficients/layers.N/aK. A session's event file begins by saying at which step it does, so that
// what an earlier session wrote of later steps is dropped. What can't be written is told once and
// lost; it never stops a run.
class TensorBoard {
  public:
    // A new event file in `folder`, for the steps after `last_step`.
    TensorBoard(std::filesystem::path folder, int64_t last_step);
    void append(const StepMetrics& metrics);

  private:
    void warn_once(const std::string& reason);

    std::filesystem::path folder_;
    std::unique_ptr<AppendFile> out_;  // null where it could not be made
    bool warned_ = false;
};

}  // namespace polytrain
