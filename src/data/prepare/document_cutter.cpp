#include "data/prepare/document_cutter.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace polytrain {
namespace {

constexpr size_t kLongestTail = 3;  // of a UTF-8 character, before its last byte

}  // namespace

size_t character_start(std::string_view text, size_t at) {
    for (size_t back = 0; back <= std::min(at, kLongestTail); ++back)
        if (!is_utf8_continuation(text[at - back])) return at - back;
    return at;
}

bool DocumentCutter::next(TextPart& part) {
    switch (stage_) {
        case kBefore:
            return next_before_cut(part);
        case kCut:
            stage_ = kAfter;
            part = {held_, true, ended_};
            return true;
        default:
            return reader_.next(part) && (part.begins = false, true);
    }
}

bool DocumentCutter::next_before_cut(TextPart& part) {
    for (TextPart read; reader_.next(read);) {
        held_ += read.text;
        ended_ = read.ends;
        const int64_t end = begin_ + std::ssize(held_);
        const bool reached = end > at_;
        const size_t size = reached ? character_start(held_, static_cast<size_t>(at_ - begin_))
                                    : held_.size() - std::min(held_.size(), kLongestTail);
        if (reached && size == 0 && !begun_)
            fail(ExitCode::kCorrupt, "the text is too short to hold out a part of it");
        given_ = held_.substr(0, size);
        held_.erase(0, size);
        begin_ += static_cast<int64_t>(size);
        if (reached) stage_ = kCut;
        if (size == 0 && !reached) continue;
        part = {given_, !std::exchange(begun_, true), reached};
        return true;
    }
    fail(ExitCode::kCorrupt, "the text became shorter while it was read; start again");
}

}  // namespace polytrain
