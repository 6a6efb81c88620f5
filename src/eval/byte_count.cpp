#include "eval/byte_count.hpp"

#include <algorithm>

namespace polytrain {

void ByteCount::add(std::span<const int32_t> ids) {
    while (!ids.empty()) {
        const auto end = separator_ ? std::find(ids.begin(), ids.end(), *separator_) : ids.end();
        const auto size = static_cast<size_t>(end - ids.begin());
        if (size > 0) count(ids.first(size));
        if (end == ids.end()) return;
        before_.reset();
        ids = ids.subspan(size + 1);
    }
}

void ByteCount::count(std::span<const int32_t> ids) {
    known_ = known_ && *std::max_element(ids.begin(), ids.end()) < tokenizer_.vocab_size();
    if (!known_) return;
    std::vector<int32_t> with_context;
    if (before_) with_context.push_back(*before_);
    bytes_ -= std::ssize(tokenizer_.decode(with_context));
    with_context.insert(with_context.end(), ids.begin(), ids.end());
    bytes_ += std::ssize(tokenizer_.decode(with_context));
    before_ = ids.back();
}

std::optional<int64_t> ByteCount::bytes() const {
    return known_ ? std::optional(bytes_) : std::nullopt;
}

}  // namespace polytrain
