#pragma once

#include <cstdint>
#include <string>

namespace polytrain {

// A numbered stream of tokens: a file, or the synthetic stream. Reading changes nothing.
class TokenSource {
  public:
    TokenSource() = default;
    virtual ~TokenSource() = default;
    TokenSource(const TokenSource&) = delete;
    TokenSource& operator=(const TokenSource&) = delete;

    virtual int64_t tokens() const = 0;
    // Tokens [begin, begin + count), which must lie within the stream.
    virtual void read(int64_t begin, int64_t count, int32_t* out) const = 0;
    // Changes when any token does.
    virtual std::string fingerprint() const = 0;
};

}  // namespace polytrain
