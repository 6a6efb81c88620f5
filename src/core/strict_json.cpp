#include "core/strict_json.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hash.hpp"

namespace polytrain {
namespace {

using nlohmann::json;

constexpr const char* kSealKey = "seal";
constexpr int kMaxSealedDepth = 8;

std::string text_of(const json& object) {
    return object.dump(1) + "\n";
}

}  // namespace

json parse_strict_json(std::string_view text, std::string_view where, int max_depth) {
    std::vector<std::set<std::string>> open_objects;
    const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
        if (depth >= max_depth && (event == json::parse_event_t::object_start ||
                                   event == json::parse_event_t::array_start))
            fail(ExitCode::kCorrupt, "{}: JSON nested deeper than {}", where, max_depth);
        if (event == json::parse_event_t::object_start) open_objects.emplace_back();
        if (event == json::parse_event_t::object_end) open_objects.pop_back();
        if (event == json::parse_event_t::key) {
            const auto& key = parsed.get_ref<const std::string&>();
            if (!open_objects.back().insert(key).second)
                fail(ExitCode::kCorrupt, "{}: the JSON key \"{}\" appears twice", where, key);
        }
        return true;
    };
    try {
        return json::parse(text, check);
    } catch (const json::exception& error) {
        fail(ExitCode::kCorrupt, "{}: not valid JSON: {}", where, error.what());
    }
}

std::string seal_json(json object) {
    PT_CHECK(object.is_object() && !object.contains(kSealKey), "only an unsealed object is sealed");
    object[kSealKey] = content_hash(text_of(object));
    return text_of(object);
}

json parse_sealed_json(std::string_view text, std::string_view where) {
    json object = parse_strict_json(text, where, kMaxSealedDepth);
    if (!object.is_object() || object.erase(kSealKey) == 0)
        fail(ExitCode::kCorrupt, "{}: has no seal; PolyTrain did not write this file", where);
    if (seal_json(object) != text)
        fail(ExitCode::kCorrupt, "{}: was changed after it was written: its seal does not match",
             where);
    return object;
}

json read_sealed_json(const std::filesystem::path& path, uint64_t limit) {
    return parse_sealed_json(read_file(path, limit), path.string());
}

}  // namespace polytrain
