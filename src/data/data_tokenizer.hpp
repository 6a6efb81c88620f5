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

  private:
    std::string name_;
    bool characters_ = false;
    mutable std::unique_ptr<Tokenizer> made_;
};

}  // namespace polytrain
