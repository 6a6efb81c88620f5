#include "config/read.hpp"

#include <algorithm>
#include <utility>

#include "config/convert.hpp"
#include "config/nearest.hpp"
#include "core/error.hpp"

namespace polytrain::config {
namespace {

// A name as a part of a dotted path: as it is, but for characters that would garble a message.
std::string path_part(const std::string& name) {
    const std::string quoted = json_quoted(name);
    return quoted.substr(1, quoted.size() - 2);
}

class Reader {
  public:
    Reader(const ConfigKey& table, Problems& problems)
        : table_(table), everything_(all_keys(table)), problems_(problems) {}

    RunConfig read(const LocatedJson& tree) {
        read_section(table_, tree, "", 0);
        return std::move(config_);
    }

  private:
    // `prefix` is the section's path with a dot after it; `index` as in ConfigKey::get.
    void read_section(const ConfigKey& section, const LocatedJson& node, const std::string& prefix,
                      size_t index) {
        for (const JsonMember& member : *node.object()) {
            if (problems_.full()) return;
            const std::string path = prefix + path_part(member.name);
            if (const ConfigKey* key = section.find(member.name))
                read_key(*key, member, path, index);
            else
                problems_.add(member.place, path, "unknown key" + suggestion(section, member.name));
        }
    }

    void read_key(const ConfigKey& key, const JsonMember& member, const std::string& path,
                  size_t index) {
        const LocatedJson& node = member.value;
        switch (key.type) {
            case KeyType::kSection:
                if (node.object() == nullptr)
                    problems_.add(node.place, path, wrong_type(key.type, node));
                else
                    read_section(key, node, path + ".", index);
                return;
            case KeyType::kList:
                read_list(key, node, path);
                return;
            case KeyType::kTextMap:
                read_map(key, node, path, index);
                return;
            default:
                break;
        }
        if (!key.set) {
            problems_.add(member.place, path, "belongs at the top of a config file only");
            return;
        }
        const Converted converted = convert(key, node);
        if (!converted.value)
            problems_.add(node.place, path, converted.problem);
        else if (!key.set(config_, index, *converted.value))
            problems_.add(node.place, path, "is too large");
    }

    void read_list(const ConfigKey& key, const LocatedJson& node, const std::string& path) {
        if (node.array() == nullptr) {
            problems_.add(node.place, path, wrong_type(key.type, node));
            return;
        }
        key.set(config_, 0, static_cast<int64_t>(node.array()->size()));
        for (size_t i = 0; i < node.array()->size() && !problems_.full(); ++i) {
            const LocatedJson& item = (*node.array())[i];
            const std::string item_path = fmt::format("{}.{}", path, i);
            if (item.object() == nullptr) {
                problems_.add(item.place, item_path, wrong_type(KeyType::kSection, item));
                continue;
            }
            read_section(key, item, item_path + ".", i);
            for (const ConfigKey& part : key.keys)
                if (part.required && item.find(part.name) == nullptr)
                    problems_.add(item.place, item_path, fmt::format("has no \"{}\"", part.name));
        }
    }

    void read_map(const ConfigKey& key, const LocatedJson& node, const std::string& path,
                  size_t index) {
        if (node.object() == nullptr) {
            problems_.add(node.place, path, wrong_type(key.type, node));
            return;
        }
        const ConfigKey entry{.name = key.name, .type = KeyType::kText, .doc = key.doc};
        TextMap map;
        for (const JsonMember& member : *node.object()) {
            const Converted converted = convert(entry, member.value);
            if (member.name.empty())
                problems_.add(member.place, path, "has an empty name");
            else if (!converted.value)
                problems_.add(member.value.place, path + "." + path_part(member.name),
                              converted.problem);
            else
                map[member.name] = std::get<std::string>(*converted.value);
        }
        key.set(config_, index, std::move(map));
    }

    // Where a key that isn't in `section` may have been meant to be: under that name elsewhere, or
    // under one like it, here or else elsewhere.
    std::string suggestion(const ConfigKey& section, const std::string& name) const {
        std::vector<std::string> here, everywhere;
        for (const ConfigKey& key : section.keys) here.push_back(key.name);
        for (const KeyAtPath& other : everything_) everywhere.push_back(other.key->name);

        std::vector<std::string> paths = paths_of({name});
        if (paths.empty()) paths = nearest(name, here);
        if (paths.empty()) paths = paths_of(nearest(name, everywhere));
        return did_you_mean(paths);
    }

    // The paths of all keys that have one of these names.
    std::vector<std::string> paths_of(const std::vector<std::string>& names) const {
        std::vector<std::string> paths;
        for (const auto& [path, key] : everything_)
            if (std::find(names.begin(), names.end(), key->name) != names.end())
                paths.push_back(path);
        return paths;
    }

    const ConfigKey& table_;
    const std::vector<KeyAtPath> everything_;
    Problems& problems_;
    RunConfig config_;
};

}  // namespace

RunConfig read_config(const ConfigKey& table, const LocatedJson& tree, Problems& problems) {
    return Reader(table, problems).read(tree);
}

}  // namespace polytrain::config
