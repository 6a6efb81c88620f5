#include "data/tokenizer/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/utf8.hpp"
#include "data/tokenizer/regex_syntax.hpp"

namespace polytrain {
namespace {

// Of one attempt at one place; the patterns of known tokenizers take a step a character.
constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kHeapLimitKib = 64 * 1024;
constexpr size_t kJitStackBytes = size_t{1} << 20;
// Places to start a match at that are tried before the clock is looked at, and the time that one
// search may take: a pattern can be slow without any one attempt being long.
constexpr size_t kStartsPerLook = 64;
constexpr double kMaxSearchSeconds = 10;

std::string error_text(int code) {
    char text[256];
    pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof(text));
    return text;
}

}  // namespace

struct Regex::Code {
    pcre2_code* code = nullptr;
    uint32_t lookbehind = 0;
    ~Code() { pcre2_code_free(code); }
};

struct Regex::Matcher::State {
    const Regex* regex;
    pcre2_match_context* context = pcre2_match_context_create(nullptr);
    pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, kJitStackBytes, nullptr);
    pcre2_match_data* data;

    explicit State(const Regex& of)
        : regex(&of), data(pcre2_match_data_create_from_pattern(of.code_->code, nullptr)) {
        if (context == nullptr || stack == nullptr || data == nullptr) throw std::bad_alloc();
        pcre2_set_match_limit(context, kMatchLimit);
        pcre2_set_heap_limit(context, kHeapLimitKib);
        pcre2_jit_stack_assign(context, nullptr, stack);
    }
    ~State() {
        pcre2_match_data_free(data);
        pcre2_jit_stack_free(stack);
        pcre2_match_context_free(context);
    }
};

Regex::Regex() = default;
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

Regex::Regex(std::string_view pattern, std::string where) : where_(std::move(where)) {
    compile(oniguruma_to_pcre2(pattern, where_), PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C);
}

Regex Regex::literal(std::string_view text, std::string where) {
    Regex regex;
    regex.where_ = std::move(where);
    regex.compile(std::string(text), PCRE2_UTF | PCRE2_LITERAL);
    return regex;
}

void Regex::compile(const std::string& pattern, unsigned options) {
    int error = 0;
    size_t at = 0;
    code_ = std::make_unique<Code>();
    const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
        pcre2_compile_context_create(nullptr), &pcre2_compile_context_free);
    if (context == nullptr) throw std::bad_alloc();
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);  // what . leaves out
    code_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                options | PCRE2_USE_OFFSET_LIMIT, &error, &at, nullptr);
    if (code_->code == nullptr)
        fail(ExitCode::kBadConfig, "{}: malformed pattern at byte {} of {}: {}", where_, at,
             pattern, error_text(error));
    pcre2_pattern_info(code_->code, PCRE2_INFO_MAXLOOKBEHIND, &code_->lookbehind);
    // Where there is no JIT for this processor or memory may not be executable, matching
    // interprets.
    pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
}

bool Regex::looks_behind() const {
    return code_->lookbehind > 0;
}

Regex::Matcher::Matcher(const Regex& regex) : state_(std::make_unique<State>(regex)) {}
Regex::Matcher::~Matcher() = default;
Regex::Matcher::Matcher(Matcher&&) noexcept = default;

Regex::Match Regex::Matcher::find(std::string_view text, size_t from, bool open) {
    const uint32_t options = PCRE2_NO_UTF_CHECK | (open ? PCRE2_PARTIAL_HARD : 0);
    std::optional<Stopwatch> watch;  // from the first look on: reading the clock costs, too
    for (size_t start = from;;) {
        const size_t last = std::min(text.size(), start + kStartsPerLook);
        pcre2_set_offset_limit(state_->context, last);
        const int found =
            pcre2_match(state_->regex->code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                        text.size(), start, options, state_->data, state_->context);
        const size_t* place = pcre2_get_ovector_pointer(state_->data);
        if (found >= 0) return {Match::kFound, place[0], place[1]};
        if (found == PCRE2_ERROR_PARTIAL) return {Match::kCut, place[0], place[1]};
        if (found != PCRE2_ERROR_NOMATCH)
            fail(ExitCode::kCorrupt,
                 "{}: the pattern fails on this text near byte {} of a piece: {}",
                 state_->regex->where_, start, error_text(found));
        if (last == text.size()) return {};
        if (!watch) watch.emplace();
        if (watch->seconds() > kMaxSearchSeconds)
            fail(ExitCode::kCorrupt,
                 "{}: the pattern backtracks: {} s on {} bytes of text without a match",
                 state_->regex->where_, kMaxSearchSeconds, text.size() - from);
        start = last;
        while (start < text.size() && is_utf8_continuation(text[start])) ++start;
    }
}

}  // namespace polytrain
