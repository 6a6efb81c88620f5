#pragma once
// What is wrong with a config, collected so that the user sees it all at once.

#include <cstddef>
#include <string>
#include <vector>

#include "config/located_json.hpp"

namespace polytrain::config {

class Problems {
  public:
    // `key` is the dotted path at fault, "model.heads"; `what` says what is wrong with it.
    void add(const Place& place, const std::string& key, const std::string& what);

    bool empty() const { return all_.empty(); }
    // Enough for one message: looking for more is of no use.
    bool full() const { return all_.size() >= kMost; }

    // Throws Error(kBadConfig) with a line for each, "file:line:column: key: what", in the order of
    // the files' lines.
    void throw_if_any() const;

  private:
    static constexpr size_t kMost = 10;

    struct Problem {
        Place place;
        std::string text;
    };
    std::vector<Problem> all_;
};

}  // namespace polytrain::config
