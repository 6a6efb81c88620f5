#pragma once
// Ties a ConfigKey to the struct member that holds its value.

#include <type_traits>
#include <utility>

#include "config/key.hpp"

namespace polytrain::config {

template <class T>
constexpr KeyType key_type_of() {
    if constexpr (std::is_same_v<T, bool>) return KeyType::kBoolean;
    if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, uint64_t>)
        return KeyType::kInteger;
    if constexpr (std::is_same_v<T, double>) return KeyType::kNumber;
    if constexpr (std::is_same_v<T, std::string>) return KeyType::kText;
    if constexpr (std::is_same_v<T, TextMap>) return KeyType::kTextMap;
}

// The value as a T; nothing if it is an integer beyond T's.
template <class T>
std::optional<T> value_as(const KeyValue& value) {
    if (const T* same = std::get_if<T>(&value)) return *same;
    if constexpr (std::is_same_v<T, uint64_t>)
        if (const int64_t* small = std::get_if<int64_t>(&value); small != nullptr && *small >= 0)
            return static_cast<uint64_t>(*small);
    return std::nullopt;
}

// `owner(config, index)` gives the struct that `member` is of.
template <class Owner, class S, class T>
ConfigKey bind(Owner owner, T S::*member, ConfigKey key) {
    key.type = key_type_of<T>();
    key.default_value = S().*member;
    key.get = [owner, member](const RunConfig& config, size_t index) -> KeyValue {
        return owner(config, index).*member;
    };
    key.set = [owner, member](RunConfig& config, size_t index, const KeyValue& value) {
        const std::optional<T> typed = value_as<T>(value);
        if (typed) owner(config, index).*member = *typed;
        return typed.has_value();
    };
    return key;
}

// A list whose elements the list's own keys are bound to.
template <class Owner, class S, class T>
ConfigKey bind_list(Owner owner, std::vector<T> S::*member, ConfigKey key) {
    key.type = KeyType::kList;
    key.get = [owner, member](const RunConfig& config, size_t index) -> KeyValue {
        return static_cast<int64_t>((owner(config, index).*member).size());
    };
    key.set = [owner, member](RunConfig& config, size_t index, const KeyValue& length) {
        (owner(config, index).*member).resize(static_cast<size_t>(std::get<int64_t>(length)));
        return true;
    };
    return key;
}

}  // namespace polytrain::config
