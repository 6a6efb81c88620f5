#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "data/tokenizer.hpp"

namespace polytrain {

// The characters (Unicode code points) of a text, for a tokenizer that gives each an id: their rank
// in order of code points, as in nanoGPT's shakespeare_char.
class CharacterSet {
  public:
    // The next part of a document; `last` ends it. Bytes that aren't UTF-8 are left out.
    void add(std::string_view part, bool last);
    // No character at all: exit 65.
    std::unique_ptr<Tokenizer> tokenizer() const;

  private:
    std::set<char32_t> characters_;
    std::string cut_;  // the start of a character that the next part goes on
};

inline constexpr const char* kCharactersFormat = "polytrain-characters";

// The tokenizer of a file that file_text() of such a tokenizer gave. Damaged: exit 65.
std::unique_ptr<Tokenizer> make_character_tokenizer(const std::string& path);

}  // namespace polytrain
