#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace polytrain {

// Activations that `transformers` has too: our names and its.
inline constexpr std::pair<std::string_view, std::string_view> kStockActivations[] = {
    {"silu", "silu"},
    {"gelu", "gelu"},
    {"gelu_tanh", "gelu_pytorch_tanh"},
    {"relu", "relu"},
    {"relu2", "relu2"}};

// The key of a config.json for what stock classes have none for, and the version of its object.
inline constexpr const char* kOwnKey = "polytrain";
inline constexpr int64_t kOwnVersion = 1;

}  // namespace polytrain
