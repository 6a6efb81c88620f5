#include "data/tokenizer/normalizer.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace polytrain {
namespace {

constexpr size_t kCodePoints = 0x110000;

// Appends the NFC of `text`.
void append_nfc(std::string_view text, std::string& out) {
    utf8proc_uint8_t* composed = nullptr;
    const utf8proc_ssize_t bytes =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                     static_cast<utf8proc_ssize_t>(text.size()), &composed,
                     static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (bytes == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
    PT_CHECK(bytes >= 0, "utf8proc: {}", utf8proc_errmsg(bytes));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
    out.append(reinterpret_cast<const char*>(composed), static_cast<size_t>(bytes));
}

// Marks that Unicode 10 and later brought. Hugging Face tokenizers normalize by the tables of
// Unicode 9, which order and compose only what was assigned then; ids are to be the same.
constexpr std::pair<char32_t, char32_t> kLaterMarks[] = {
    {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},
    {0xc3c, 0xc3c},     {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0xece, 0xece},
    {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},
    {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50},
    {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x11241, 0x11241}, {0x1133b, 0x1133b},
    {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x11930, 0x11938}, {0x1193d, 0x1193e},
    {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47},
    {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45}, {0x11d97, 0x11d97},
    {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136},
    {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}};

bool is_later_mark(char32_t code) {
    return std::any_of(std::begin(kLaterMarks), std::end(kLaterMarks), [&](const auto& range) {
        return range.first <= code && code <= range.second;
    });
}

// UAX 15's quick check, made conservative: a text in which no character is "active" is in NFC, and
// before a character that isn't active NFC can be cut in two. Active are marks, the Hangul vowels
// and trailing consonants that compose with what precedes them, and what NFC replaces.
class ActiveCharacters {
  public:
    ActiveCharacters() : bits_(kCodePoints / 64) {
        std::string single, composed;
        for (char32_t code = 0xc0; code < kCodePoints; ++code) {
            const utf8proc_property_t* property =
                utf8proc_get_property(static_cast<utf8proc_int32_t>(code));
            bool active = property->combining_class != 0 ||
                          property->category == UTF8PROC_CATEGORY_MN ||
                          property->category == UTF8PROC_CATEGORY_MC ||
                          property->category == UTF8PROC_CATEGORY_ME ||
                          (code >= 0x1161 && code <= 0x1175) || (code >= 0x11a8 && code <= 0x11c2);
            if (!active && property->decomp_seqindex != UINT16_MAX && property->decomp_type == 0) {
                single.clear();
                composed.clear();
                append_utf8(single, code);
                append_nfc(single, composed);
                active = composed != single;
            }
            if (active && !is_later_mark(code)) bits_[code / 64] |= uint64_t{1} << (code % 64);
        }
    }
    bool operator[](char32_t code) const { return (bits_[code / 64] >> (code % 64) & 1) != 0; }

  private:
    std::vector<uint64_t> bits_;
};

class Nfc final : public NormalizerStep {
  public:
    bool is_identity(std::string_view text, bool) const override {
        return next_active(text, 0) == text.size();
    }

    std::string apply(std::string_view text, bool, int64_t& forced_cuts) const override {
        std::string out;
        out.reserve(text.size());
        size_t done = 0;
        while (done < text.size()) {
            const size_t active = next_active(text, done);
            size_t begin = active;  // of the character that the active one may compose with
            if (active > done && active < text.size()) do
                    --begin;
                while (is_utf8_continuation(text[begin]));
            if (begin < active && is_later_mark(decode_valid_utf8(&text[begin]).code))
                begin = active;
            out.append(text, done, begin - done);
            // A longer run of active characters, which no writing has, is cut: ordering the marks
            // of a run takes quadratic time.
            constexpr size_t kMaxRunBytes = 1024;
            size_t end = active;
            while (end < text.size() && end - begin < kMaxRunBytes) {
                const Utf8Character c = decode_valid_utf8(&text[end]);
                if (!active_[c.code]) break;
                end += c.bytes;
            }
            forced_cuts += end < text.size() && end - begin >= kMaxRunBytes ? 1 : 0;
            if (end > begin) append_nfc(text.substr(begin, end - begin), out);
            done = end;
        }
        return out;
    }

    size_t settled(std::string_view text) const override {
        size_t at = text.size();
        while (at > 0) {
            --at;
            if (is_utf8_continuation(text[at])) continue;
            if (!active_[decode_valid_utf8(&text[at]).code]) return at;
        }
        return 0;
    }

    bool by_character() const override { return false; }

  private:
    size_t next_active(std::string_view text, size_t at) const {
        while (at < text.size()) {
            // Below U+00C0, and U+00C0 starts with the byte 0xc3, nothing is active.
            if (static_cast<unsigned char>(text[at]) < 0xc3) {
                ++at;
                continue;
            }
            const Utf8Character c = decode_valid_utf8(&text[at]);
            if (active_[c.code]) return at;
            at += c.bytes;
        }
        return at;
    }

    ActiveCharacters active_;
};

class Prepend final : public NormalizerStep {
  public:
    explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
    bool is_identity(std::string_view text, bool begins) const override {
        return !begins || text.empty();
    }
    std::string apply(std::string_view text, bool begins, int64_t&) const override {
        return (is_identity(text, begins) ? "" : prefix_) + std::string(text);
    }
    size_t settled(std::string_view text) const override { return text.size(); }
    bool by_character() const override { return true; }

  private:
    std::string prefix_;
};

class Replace final : public NormalizerStep {
  public:
    Replace(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}
    bool is_identity(std::string_view text, bool) const override {
        return text.find(from_) == std::string_view::npos;
    }
    std::string apply(std::string_view text, bool, int64_t&) const override {
        std::string out;
        out.reserve(text.size() + text.size() / 2);
        for (size_t at = 0; at < text.size();) {
            const size_t found = std::min(text.find(from_, at), text.size());
            out.append(text, at, found - at);
            if (found < text.size()) out += to_;
            at = found + from_.size();
        }
        return out;
    }
    size_t settled(std::string_view text) const override {
        return by_character() ? text.size() : 0;
    }
    bool by_character() const override {
        return decode_valid_utf8(from_.data()).bytes == from_.size();
    }

  private:
    std::string from_, to_;
};

}  // namespace

std::unique_ptr<NormalizerStep> make_nfc() {
    return std::make_unique<Nfc>();
}
std::unique_ptr<NormalizerStep> make_prepend(std::string prefix) {
    return std::make_unique<Prepend>(std::move(prefix));
}
std::unique_ptr<NormalizerStep> make_replace(std::string from, std::string to) {
    PT_CHECK(!from.empty(), "nothing to replace");
    return std::make_unique<Replace>(std::move(from), std::move(to));
}

void Normalizer::add(std::unique_ptr<NormalizerStep> step) {
    by_characters_ = by_characters_ && (steps_.empty() || step->by_character());
    steps_.push_back(std::move(step));
}

std::string_view Normalizer::apply(std::string_view text, bool begins, std::string& buffer,
                                   int64_t& forced_cuts) const {
    for (const auto& step : steps_) {
        if (step->is_identity(text, begins)) continue;
        buffer = step->apply(text, begins, forced_cuts);
        text = buffer;
    }
    return text;
}

size_t Normalizer::settled(std::string_view text) const {
    if (!by_characters_) return 0;
    return steps_.empty() ? text.size() : steps_.front()->settled(text);
}

}  // namespace polytrain
