#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "config/run_config.hpp"
#include "data/loader.hpp"
#include "train/session.hpp"

namespace polytrain {

// The held-out sets of a run.
class Validation {
  public:
    // Errors as ValidationReader's. Keeps a reference to `config`.
    Validation(const RunConfig& config, const DataTokenizer& tokenizer);

    // The mean loss of each set by its name, over its scored tokens. All ranks share in it. `stop`
    // is asked before each micro-batch; where it says true, on all ranks, nothing is returned. A
    // loss that isn't finite: exit 76.
    std::optional<std::map<std::string, double>> losses(const TrainingSession& session,
                                                        const Grid& grid, int64_t step,
                                                        const std::function<bool()>& stop);

  private:
    // Fills batch_ with one micro-batch; rows that there are no sequences for are not scored.
    void fill(const ValidationReader& reader, int64_t first);

    const RunConfig& config_;
    std::map<std::string, std::unique_ptr<ValidationReader>> sets_;
    HostBatch batch_;
};

}  // namespace polytrain
