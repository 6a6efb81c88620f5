#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/text/document_reader.hpp"

namespace polytrain {

// The start of the UTF-8 character that holds byte `at`; `at` itself where the text isn't UTF-8.
size_t character_start(std::string_view text, size_t at);

// Cuts the one document of a reader in two, before the character that holds byte `at` of it. What
// is before may not be empty: exit 65.
class DocumentCutter {
  public:
    // `at` is below the document's size.
    DocumentCutter(DocumentReader& reader, int64_t at) : reader_(reader), at_(at) {}

    bool next(TextPart& part);

  private:
    bool next_before_cut(TextPart& part);

    DocumentReader& reader_;
    int64_t at_;
    int64_t begin_ = 0;  // of `held_`, in the document
    std::string held_;   // the last bytes seen, which may belong to a character that is cut
    std::string given_;
    enum { kBefore, kCut, kAfter } stage_ = kBefore;
    bool begun_ = false, ended_ = false;
};

}  // namespace polytrain
