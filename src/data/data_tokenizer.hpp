#pragma once

#include <memory>
#include <string>

#include "data/data_config.hpp"
#include "data/tokenizer.hpp"

namespace polytrain {

// The tokenizer that a config names, made when it is first asked for: files that don't say which
// tokenizer made them can be read without it. "chars" is the tokenizer.json beside the first
// training file.
class DataTokenizer {
  public:
    explicit DataTokenizer(const DataConfig& config);
    explicit DataTokenizer(std::string name) : name_(std::move(name)) {}

    // What make_tokenizer() is asked for.
    const std::string& name() const { return name_; }
    // Errors as make_tokenizer().
    const Tokenizer& get() const;
    // The same for a model of so many ids: with more of them it isn't the model's, exit 78.
    const Tokenizer& get_for(int64_t vocab_size) const;

  private:
    std::string name_;
    bool characters_ = false;
    mutable std::unique_ptr<Tokenizer> made_;
};

}  // namespace polytrain
