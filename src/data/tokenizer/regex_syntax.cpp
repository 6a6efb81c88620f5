#include "data/tokenizer/regex_syntax.hpp"

#include <algorithm>
#include <initializer_list>

#include "core/error.hpp"

namespace polytrain {
namespace {

// What Oniguruma takes for a word character: the last six are superscript digits and fractions.
constexpr const char* kWord =
    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}";

// The letters and numbers that Unicode 15 and 16 brought: they are in Oniguruma's tables, and in
// PCRE2's only where the distribution's is recent. Ids must not depend on that.
constexpr const char* kLaterLetters =
    "\\x{1c89}-\\x{1c8a}\\x{a7cb}-\\x{a7cd}\\x{a7da}-\\x{a7dc}\\x{105c0}-\\x{105f3}"
    "\\x{10d4a}-\\x{10d65}\\x{10d6f}-\\x{10d85}\\x{10ec2}-\\x{10ec4}\\x{1123f}-\\x{11240}"
    "\\x{11380}-\\x{11389}\\x{1138b}\\x{1138e}\\x{11390}-\\x{113b5}\\x{113b7}\\x{113d1}\\x{113d3}"
    "\\x{11bc0}-\\x{11be0}\\x{11f02}\\x{11f04}-\\x{11f10}\\x{11f12}-\\x{11f33}\\x{1342f}"
    "\\x{13441}-\\x{13446}\\x{13460}-\\x{143fa}\\x{16100}-\\x{1611d}\\x{16d40}-\\x{16d6c}\\x{18cff}"
    "\\x{1b132}\\x{1b155}\\x{1df25}-\\x{1df2a}\\x{1e030}-\\x{1e06d}\\x{1e4d0}-\\x{1e4eb}"
    "\\x{1e5d0}-\\x{1e5ed}\\x{1e5f0}\\x{2b739}\\x{2ebf0}-\\x{2ee5d}\\x{31350}-\\x{323af}";
constexpr const char* kLaterNumbers =
    "\\x{10d40}-\\x{10d49}\\x{116d0}-\\x{116e3}\\x{11bf0}-\\x{11bf9}\\x{11f50}-\\x{11f59}"
    "\\x{16130}-\\x{16139}\\x{16d70}-\\x{16d79}\\x{1ccf0}-\\x{1ccf9}\\x{1d2c0}-\\x{1d2d3}"
    "\\x{1e4f0}-\\x{1e4f9}\\x{1e5f1}-\\x{1e5fa}";

class Translator {
  public:
    Translator(std::string_view pattern, const std::string& where)
        : pattern_(pattern), where_(where) {}

    std::string run() {
        while (at_ < pattern_.size()) {
            if (pattern_[at_] == '\\')
                escape();
            else if (in_class_)
                class_character();
            else
                character();
        }
        return std::move(out_);
    }

  private:
    [[noreturn]] void refuse(std::string_view what) const {
        fail(ExitCode::kBadConfig, "{}: {} at byte {} of the pattern is not supported", where_,
             what, at_);
    }
    bool follows(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
    void copy(size_t bytes) {
        out_ += pattern_.substr(at_, bytes);
        at_ += bytes;
    }

    void character() {
        switch (pattern_[at_]) {
            case '^':
            case '$':
                refuse(pattern_.substr(at_, 1));
            case '[':
                in_class_ = true;
                class_start_ = at_ + (pattern_.substr(at_ + 1).starts_with("^") ? 2 : 1);
                return copy(class_start_ - at_);
            case '(':
                return group();
            case '{':
                return interval();
            default:
                return copy(1);
        }
    }

    void class_character() {
        const char c = pattern_[at_];
        if (c == '[') refuse("[ in a set");
        if (follows("&&")) refuse("&& in a set");
        if (c == ']') {
            if (at_ == class_start_) refuse("] at the start of a set");
            in_class_ = false;
        }
        copy(1);
    }

    void group() {
        if (follows("(*")) refuse("(*");
        if (!follows("(?")) return copy(1);
        if (follows("(?i:")) check_folding();
        for (const std::string_view opening : {"(?:", "(?i:", "(?=", "(?!", "(?>", "(?<=", "(?<!"})
            if (follows(opening)) return copy(opening.size());
        refuse(pattern_.substr(at_, 3));
    }

    // Without case Oniguruma also takes one character for several, as the German sharp s for ss.
    void check_folding() const {
        std::string group(pattern_.substr(at_, pattern_.find(')', at_) - at_));
        for (char& c : group) {
            if (static_cast<unsigned char>(c) >= 0x80)
                refuse("(?i: with other letters than a to z");
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        }
        for (const char* pair : {"ss", "ff", "fi", "fl", "st"})
            if (group.find(pair) != std::string::npos) refuse("(?i: with a ligature's letters");
    }

    void interval() {
        const size_t end = pattern_.find('}', at_);
        const std::string_view inside =
            pattern_.substr(at_ + 1, std::min(end, pattern_.size()) - std::min(end, at_ + 1));
        const size_t comma = inside.find(',');
        const std::string_view low = inside.substr(0, comma);
        const std::string_view high =
            comma == std::string_view::npos ? low : inside.substr(comma + 1);
        const auto is_number = [](std::string_view text) {
            return text.find_first_not_of("0123456789") == std::string_view::npos;
        };
        if (end == std::string_view::npos || !is_number(low) || !is_number(high) ||
            (low.empty() && high.empty()))
            refuse("{");
        if (const std::string_view next = pattern_.substr(end + 1, 1); next == "+" || next == "?")
            refuse("an interval before + or ?");
        out_ += '{';
        if (low.empty()) out_ += '0';
        out_ += inside;
        out_ += '}';
        at_ = end + 1;
    }

    // Puts members of a set where they may stand alone or in one.
    void put_set(std::string_view members, bool negated) {
        if (in_class_ && negated) refuse("a negated class in a set");
        if (!in_class_) out_ += negated ? "[^" : "[";
        out_ += members;
        if (!in_class_) out_ += ']';
    }

    void escape() {
        if (at_ + 1 == pattern_.size()) refuse("\\ at the end");
        const char escaped = pattern_[at_ + 1];
        const bool is_letter =
            (escaped >= 'a' && escaped <= 'z') || (escaped >= 'A' && escaped <= 'Z');
        const bool is_digit = escaped >= '0' && escaped <= '9';
        if (!is_letter && !is_digit) return copy(2);
        switch (escaped) {
            case 's':
                return replace("\\p{White_Space}");
            case 'S':
                return replace("\\P{White_Space}");
            case 'v':
                return replace("\\x{0b}");
            case 'w':
                put_set(kWord, false);
                at_ += 2;
                return;
            case 'n':
            case 'r':
            case 't':
            case 'f':
            case 'a':
            case 'd':
            case 'D':
                return copy(2);
            case 'x':
                if (!follows("\\x{")) break;
                return copy(braces_end() - at_);
            case 'p':
            case 'P':
                return property();
            default:
                break;
        }
        refuse(pattern_.substr(at_, 2));
    }
    void replace(std::string_view by) {
        out_ += by;
        at_ += 2;
    }

    // Past the brace that closes the one at at_ + 2.
    size_t braces_end() const {
        const size_t end = pattern_.find('}', at_);
        if (pattern_.substr(at_ + 2, 1) != "{" || end == std::string_view::npos)
            refuse(pattern_.substr(at_, 2));
        return end + 1;
    }

    void property() {
        const size_t end = braces_end();
        std::string_view name = pattern_.substr(at_ + 3, end - at_ - 4);
        bool negated = pattern_[at_ + 1] == 'P';
        if (name.starts_with('^')) {
            negated = !negated;
            name.remove_prefix(1);
        }
        const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        });
        if (!is_name) refuse(pattern_.substr(at_, end - at_));
        if (name == "L" || name == "N")
            put_set(fmt::format("\\p{{{}}}{}", name, name == "L" ? kLaterLetters : kLaterNumbers),
                    negated);
        else  // one or two letters are a category; else PCRE2 would take script extensions
            out_ += fmt::format("\\{}{{{}{}}}", negated ? 'P' : 'p', name.size() > 2 ? "sc:" : "",
                                name);
        at_ = end;
    }

    std::string_view pattern_;
    const std::string& where_;
    std::string out_;
    size_t at_ = 0;
    bool in_class_ = false;
    size_t class_start_ = 0;  // of its first member
};

}  // namespace

std::string oniguruma_to_pcre2(std::string_view pattern, const std::string& where) {
    return Translator(pattern, where).run();
}

}  // namespace polytrain
