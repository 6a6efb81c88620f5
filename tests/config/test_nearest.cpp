// Edit distance, and suggestions for every single typo in every key.

#include "config/nearest.hpp"

#include <nlohmann/json.hpp>

#include "config/support.hpp"
#include "config/tables.hpp"
#include "core/philox.hpp"

namespace polytrain::config {
namespace {

TEST_CASE("edit distance counts insertions, deletions, substitutions and swaps") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("abc", "") == 3);
    CHECK(edit_distance("abc", "abc") == 0);
    CHECK(edit_distance("abc", "abxc") == 1);
    CHECK(edit_distance("abc", "ac") == 1);
    CHECK(edit_distance("abc", "axc") == 1);
    CHECK(edit_distance("abc", "acb") == 1);
    CHECK(edit_distance("abcd", "badc") == 2);
    CHECK(edit_distance("ca", "abc") == 3);  // 2 if what is swapped could be edited again
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("Kitten", "kITTEN") == 0);
}

TEST_CASE("suggestions are the nearest, all that tie, and none that are far") {
    const std::vector<std::string> words{"beta1", "beta2", "lr", "weight_decay"};
    CHECK(nearest("beta", words) == std::vector<std::string>{"beta1", "beta2"});
    CHECK(nearest("beta11", words) == std::vector<std::string>{"beta1"});
    CHECK(nearest("l", words) == std::vector<std::string>{"lr"});
    CHECK(nearest("wd", words).empty());
    CHECK(nearest("weihgtdecay", words) == std::vector<std::string>{"weight_decay"});
    CHECK(nearest(std::string(100000, 'x'), words).empty());
    CHECK(did_you_mean({}).empty());
    CHECK(did_you_mean({"a", "b"}) == "; did you mean \"a\" or \"b\"?");
    CHECK(did_you_mean({"a", "b", "c", "d"}) == "; did you mean \"a\" or \"b\" or \"c\"?");
}

// A config with one key of that name in the section at a dotted path.
std::string config_with(const std::string& section, const std::string& name) {
    nlohmann::json config;
    nlohmann::json* node = &config;
    for (size_t begin = 0; begin < section.size();) {
        const size_t end = std::min(section.find('.', begin), section.size());
        node = &(*node)[section.substr(begin, end - begin)];
        begin = end + 1;
    }
    if (section == "data.train" || section == "eval.tasks") node = &(*node)[0];
    (*node)[name] = nlohmann::json::object();
    return config.dump();
}

// Every word one edit away by deletion and by swap, and a sample of those by another letter.
std::vector<std::string> typos_of(const std::string& word) {
    const std::string letters = "abcdefghijklmnopqrstuvwxyz_0123456789";
    std::vector<std::string> typos;
    for (size_t i = 0; i < word.size(); ++i) {
        const auto letter = [&](uint64_t n) {
            const auto words = philox(philox_key(1, word), i, n);
            return letters[uniform_below(words, letters.size())];
        };
        std::string deleted = word, swapped = word, substituted = word, inserted = word;
        typos.push_back(deleted.erase(i, 1));
        if (i + 1 < word.size()) {
            std::swap(swapped[i], swapped[i + 1]);
            typos.push_back(swapped);
        }
        substituted[i] = letter(0);
        typos.push_back(substituted);
        typos.push_back(inserted.insert(i, 1, letter(1)));
    }
    std::erase_if(typos, [&](const std::string& typo) { return typo == word || typo.empty(); });
    return typos;
}

TEST_CASE("a single typo in any key is set right") {
    const ConfigKey table = config_table(testing::small_catalog());
    int typos = 0, right = 0;
    for (const auto& [path, key] : all_keys(table)) {
        const size_t dot = path.rfind('.');
        const std::string section = dot == std::string::npos ? "" : path.substr(0, dot);
        for (const std::string& typo : typos_of(key->name)) {
            const std::string message = testing::parse_failure(config_with(section, typo));
            const size_t suggestion = message.find("did you mean");
            const bool found =
                suggestion != std::string::npos &&
                message.find("\"" + key->name + "\"", suggestion) != std::string::npos;
            ++typos;
            right += found ? 1 : 0;
            if (!found)
                UNSCOPED_INFO(section << " " << key->name << " as " << typo << ": " << message);
        }
    }
    CHECK(typos > 1500);
    CHECK(right >= 0.99 * typos);
}

}  // namespace
}  // namespace polytrain::config
