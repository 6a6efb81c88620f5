#include "data/tokenizer/word_counter.hpp"

#include "core/utf8.hpp"

namespace polytrain {

void WordCounter::count(std::string_view text) {
    while (!text.empty()) {
        const size_t valid = valid_utf8_prefix(text);
        pre_tokenizer_.split(text.substr(0, valid), {}, false, *this);
        text.remove_prefix(std::min(text.size(), valid + 1));
    }
}

size_t WordCounter::take(std::string_view piece, bool) {
    if (piece.size() <= kMaxWordBytes) ++counts_[std::string(piece)];
    return piece.size();
}

}  // namespace polytrain
