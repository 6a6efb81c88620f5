#pragma once
// Finds line and column of JSON tokens in their text.

#include <cstddef>
#include <string>
#include <string_view>

#include "config/located_json.hpp"

namespace polytrain::config {

// Walks a JSON text token by token, in step with a parser that has found each of them valid. The
// text must outlive it.
class TextPlaces {
  public:
    TextPlaces(std::string_view text, std::string source);

    // Where the next key, scalar or opening bracket begins; moves past it.
    Place next();

    // Where byte `offset` of the text is. Offsets that go up cost one walk over the text in all.
    Place at(size_t offset);

    // Throws Error(kBadConfig) for what nlohmann's parser says is wrong, having read `position`
    // bytes (one more than there are, at the end of the text).
    [[noreturn]] void fail_at(size_t position, std::string_view error);

  private:
    size_t next_token() const;

    std::string_view text_;
    std::string source_;
    size_t cursor_ = 0;  // end of the last token that next() gave
    // The spot that at() reached last.
    size_t offset_ = 0;
    int line_ = 1, column_ = 1;
};

}  // namespace polytrain::config
