#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace polytrain {

// An object in a tokenizer.json, read key by key. All errors are exit 78 and start with the file
// and the JSON path.
class Component {
  public:
    Component(const nlohmann::json& value, std::string where);

    const std::string& where() const { return where_; }
    const nlohmann::json& value() const { return value_; }
    bool has(const char* key) const;  // and it isn't null

    // The value of a key, of this type; a missing key is an error where there is no `otherwise`.
    std::string text(const char* key) const;
    bool boolean(const char* key, bool otherwise) const;
    int64_t integer(const char* key) const;
    Component object(const char* key) const;
    std::vector<Component> list(const char* key) const;

    // Refuses keys other than these: what they ask for is not supported.
    void only(std::initializer_list<std::string_view> keys) const;
    // Refuses the value of a key, and says which ones there are.
    [[noreturn]] void unsupported(std::string_view key, std::string_view supported) const;

  private:
    const nlohmann::json& value_;
    std::string where_;
};

}  // namespace polytrain
