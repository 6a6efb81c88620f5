// Random damage to a valid config: it parses, or it is told as a bad config; nothing else.

#include "config/support.hpp"
#include "core/philox.hpp"

namespace polytrain {
namespace {

class Mutator {
  public:
    explicit Mutator(uint64_t seed) : key_(philox_key(seed, "mutations")) {}

    std::string mutate(std::string text) {
        for (uint64_t edits = 1 + below(3); edits > 0 && !text.empty(); --edits) edit(text);
        return text;
    }

  private:
    uint64_t below(uint64_t bound) { return uniform_below(philox(key_, counter_++), bound); }

    void edit(std::string& text) {
        static constexpr std::string_view kPieces[] = {"{",
                                                       "}",
                                                       "[",
                                                       "]",
                                                       ",",
                                                       ":",
                                                       "\"",
                                                       "\\",
                                                       "null",
                                                       "true",
                                                       "-1",
                                                       "1e999",
                                                       "0",
                                                       "\xff",
                                                       "\n",
                                                       "1e400",
                                                       "\\u0000",
                                                       "\"\"",
                                                       "[]",
                                                       "{}",
                                                       "-",
                                                       "1.5",
                                                       "99999999999999999999",
                                                       "\"extends\": \"x\"",
                                                       "\"moe\"",
                                                       "/*",
                                                       "\xc3\xa9",
                                                       "NaN"};
        const size_t at = below(text.size());
        const size_t length = std::min(below(12), text.size() - at);
        switch (below(5)) {
            case 0:
                text.erase(at, length);
                break;
            case 1:
                text.insert(at, kPieces[below(std::size(kPieces))]);
                break;
            case 2:
                text[at] = static_cast<char>(below(256));
                break;
            case 3:
                text.insert(below(text.size()), text.substr(at, length));
                break;
            default:
                text.replace(at, length, kPieces[below(std::size(kPieces))]);
                break;
        }
    }

    PhiloxKey key_;
    uint64_t counter_ = 0;
};

TEST_CASE("a damaged config parses or is a bad config") {
    const std::string valid =
        emit_config(testing::parse(testing::kMinimal), testing::small_catalog());
    Mutator mutator(1);
    int parsed = 0, refused = 0;
    for (int i = 0; i < 4000; ++i) {
        const std::string text = mutator.mutate(valid);
        try {
            const RunConfig run = testing::parse(text);
            ++parsed;
            // What got through can be written and read again.
            REQUIRE(testing::parse(emit_config(run, testing::small_catalog())) == run);
        } catch (const Error& error) {
            ++refused;
            INFO(text);
            REQUIRE(error.code() == ExitCode::kBadConfig);
            REQUIRE_THAT(error.what(), Catch::Matchers::StartsWith("run.json:"));
        }
    }
    CHECK(parsed > 100);
    CHECK(refused > 1000);
}

}  // namespace
}  // namespace polytrain
