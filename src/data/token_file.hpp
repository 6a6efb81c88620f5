#pragma once

#include <filesystem>
#include <string>

#include "data/token_array.hpp"
#include "data/token_file_info.hpp"
#include "data/token_source.hpp"

namespace polytrain {

// A token file, mapped into memory. Opening it checks the side file, the size and the counts, and
// reads it all once: every chunk against its hash, every id against the vocabulary. A damaged file
// throws exit 65 with the path and the byte, a missing one exit 66.
class TokenFile final : public TokenSource {
  public:
    explicit TokenFile(const std::filesystem::path& bin);

    const TokenFileInfo& info() const { return info_; }
    int64_t tokens() const override { return info_.tokens; }
    void read(int64_t begin, int64_t count, int32_t* out) const override {
        array_.read(begin, count, out);
    }
    std::string fingerprint() const override;

  private:
    TokenFileInfo info_;
    TokenArray array_;
};

}  // namespace polytrain
