#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace polytrain {

// A pattern of a tokenizer.json, compiled.
class Regex {
  public:
    // In the syntax of regex_syntax.hpp. `where` begins the messages. A pattern that is malformed
    // or not supported: exit 78.
    Regex(std::string_view pattern, std::string where);
    // Matches this text and nothing else.
    static Regex literal(std::string_view text, std::string where);
    ~Regex();
    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;

    // Whether a match depends on text before its start.
    bool looks_behind() const;

    struct Match {
        enum Kind { kNone, kFound, kCut } kind = kNone;
        size_t begin = 0, end = 0;
    };

    // One thread's memory for matching.
    class Matcher {
      public:
        explicit Matcher(const Regex& regex);
        ~Matcher();
        Matcher(Matcher&&) noexcept;

        // The first match in valid UTF-8 `text` that starts at `from` or later. With `open`, more
        // text may follow: kCut says that it could change the answer. A pattern that backtracks
        // without end: exit 65, with the byte.
        Match find(std::string_view text, size_t from, bool open);

      private:
        struct State;
        std::unique_ptr<State> state_;
    };

  private:
    struct Code;
    Regex();
    void compile(const std::string& pattern, unsigned options);
    std::string where_;
    std::unique_ptr<Code> code_;
};

}  // namespace polytrain
