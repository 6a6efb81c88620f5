#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace polytrain {

// Whose prompts and tokens: those of EleutherAI's lm-evaluation-harness, or of OLMo's evaluations
// in training.
enum class Dialect : uint8_t { kHarness, kOlmo };
std::string_view name_of(Dialect dialect);  // "harness", "olmo"

// An answer, as what may follow a context. The blank between them belongs to the continuation.
struct Choice {
    std::string context, continuation;
    // A context without the question, by which pmi_dc judges how likely the answer is by itself;
    // empty: none is known.
    std::string bare_context = {};
};

// A question, as it is scored.
struct Question {
    std::string id = {};     // as its file has it, else the line's number
    std::string where = {};  // file:line, for messages
    std::vector<Choice> choices = {};
    int64_t gold = 0;              // index of the right one
    std::string description = {};  // goes before the examples; in OLMo's only before these
    std::string subject = {};      // its examples are of the same
};

// A question without choices, a continuation without text, or a gold out of range: exit 65.
void check_question(const Question& question);

}  // namespace polytrain
