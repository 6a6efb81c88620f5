#include "config/located_json.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "config/text_places.hpp"
#include "core/error.hpp"

namespace polytrain::config {
namespace {

// Builds the tree from the parser's events. These come without positions, so `tokens_` walks the
// same text in step with them.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
  public:
    TreeBuilder(std::string_view text, const std::string& source) : tokens_(text, source) {}

    LocatedJson take() { return std::move(root_); }

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(int64_t value) override { return add(value); }
    bool number_unsigned(uint64_t value) override {
        constexpr uint64_t kMaxSigned = std::numeric_limits<int64_t>::max();
        return value <= kMaxSigned ? add(static_cast<int64_t>(value)) : add(value);
    }
    bool number_float(double value, const std::string&) override { return add(value); }
    bool string(std::string& value) override { return add(std::move(value)); }
    bool binary(nlohmann::json::binary_t&) override { return false; }  // text has none

    bool start_object(size_t) override { return open(LocatedJson::Object()); }
    bool start_array(size_t) override { return open(LocatedJson::Array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(std::string& name) override {
        const Place place = tokens_.next();
        if (!open_.back().names.insert(name).second)
            fail(ExitCode::kBadConfig, "{}: the key \"{}\" comes twice in one object", place.text(),
                 name);
        std::get<LocatedJson::Object>(open_.back().node->value).push_back({name, place, {}});
        return true;
    }

    bool parse_error(size_t position, const std::string&,
                     const nlohmann::detail::exception& error) override {
        tokens_.fail_at(position, error.what());
    }

  private:
    // An object or array whose end has not come yet. `node` stays where it is till then, since its
    // parent grows only afterwards.
    struct Open {
        LocatedJson* node;
        std::set<std::string> names;
    };

    LocatedJson& slot() {
        if (open_.empty()) return root_;
        LocatedJson& parent = *open_.back().node;
        if (auto* object = std::get_if<LocatedJson::Object>(&parent.value))
            return object->back().value;
        return std::get<LocatedJson::Array>(parent.value).emplace_back();
    }

    bool add(LocatedJson::Value value) {
        slot() = {std::move(value), tokens_.next()};
        return true;
    }

    bool open(LocatedJson::Value container) {
        LocatedJson& node = slot();
        node = {std::move(container), tokens_.next()};
        if (open_.size() == kMaxConfigDepth)
            fail(ExitCode::kBadConfig, "{}: more than {} objects and lists within each other",
                 node.place.text(), kMaxConfigDepth);
        open_.push_back({&node, {}});
        return true;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    TextPlaces tokens_;
    LocatedJson root_;
    std::vector<Open> open_;
};

}  // namespace

std::string Place::text() const {
    return line == 0 ? source : fmt::format("{}:{}:{}", source, line, column);
}

const LocatedJson* LocatedJson::find(std::string_view name) const {
    const Object* members = object();
    if (members == nullptr) return nullptr;
    const auto found = std::find_if(members->begin(), members->end(),
                                    [&](const JsonMember& member) { return member.name == name; });
    return found == members->end() ? nullptr : &found->value;
}

LocatedJson* LocatedJson::find(std::string_view name) {
    return const_cast<LocatedJson*>(std::as_const(*this).find(name));
}

const LocatedJson* LocatedJson::at(std::string_view path) const {
    const LocatedJson* node = this;
    while (node != nullptr && !path.empty()) {
        const size_t dot = std::min(path.find('.'), path.size());
        node = node->find(path.substr(0, dot));
        path.remove_prefix(std::min(dot + 1, path.size()));
    }
    return node;
}

void LocatedJson::set_places(const Place& everywhere) {
    place = everywhere;
    if (auto* items = std::get_if<Array>(&value))
        for (LocatedJson& item : *items) item.set_places(everywhere);
    if (auto* members = std::get_if<Object>(&value))
        for (JsonMember& member : *members) {
            member.place = everywhere;
            member.value.set_places(everywhere);
        }
}

LocatedJson parse_located_json(std::string_view text, const std::string& source) {
    if (text.size() > kMaxConfigBytes)
        fail(ExitCode::kBadConfig, "{}: {} bytes, more than the {} a config may have", source,
             text.size(), kMaxConfigBytes);
    // The parser takes a zero byte for the end of the text.
    if (const size_t zero = text.find('\0'); zero != std::string_view::npos)
        fail(ExitCode::kBadConfig, "{}: not valid JSON: a zero byte",
             TextPlaces(text, source).at(zero).text());
    TreeBuilder builder(text, source);
    nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
    return builder.take();
}

bool is_utf8(std::string_view text) {
    try {
        static_cast<void>(nlohmann::json(text).dump());
        return true;
    } catch (const nlohmann::json::type_error&) {
        return false;
    }
}

std::string json_quoted(std::string_view text) {
    constexpr size_t kMostBytes = 60;
    std::string shown(text.substr(0, kMostBytes));
    if (text.size() > kMostBytes) shown += "...";
    return nlohmann::json(shown).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace polytrain::config
