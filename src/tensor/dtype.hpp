#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/bf16.hpp"
#include "core/error.hpp"

namespace polytrain {

enum class DType : uint8_t { kF64, kF32, kBf16, kI64, kI32, kI16, kU8 };

constexpr size_t size_of(DType dtype) {
    switch (dtype) {
        case DType::kF64:
        case DType::kI64:
            return 8;
        case DType::kF32:
        case DType::kI32:
            return 4;
        case DType::kBf16:
        case DType::kI16:
            return 2;
        case DType::kU8:
            return 1;
    }
    return 0;
}

// "f64", "f32", "bf16", "i64", "i32", "i16", "u8".
constexpr std::string_view name_of(DType dtype) {
    switch (dtype) {
        case DType::kF64:
            return "f64";
        case DType::kF32:
            return "f32";
        case DType::kBf16:
            return "bf16";
        case DType::kI64:
            return "i64";
        case DType::kI32:
            return "i32";
        case DType::kI16:
            return "i16";
        case DType::kU8:
            return "u8";
    }
    return "?";
}

constexpr bool is_float(DType dtype) {
    return dtype == DType::kF64 || dtype == DType::kF32 || dtype == DType::kBf16;
}

// The type that sums, row statistics and parameter gradients of a storage type have: f64 for f64,
// f32 for f32 and bf16.
constexpr DType accumulator_of(DType dtype) {
    return dtype == DType::kF64 ? DType::kF64 : DType::kF32;
}

template <class T>
inline constexpr DType kDTypeOf = DType::kU8;
template <>
inline constexpr DType kDTypeOf<double> = DType::kF64;
template <>
inline constexpr DType kDTypeOf<float> = DType::kF32;
template <>
inline constexpr DType kDTypeOf<Bf16> = DType::kBf16;
template <>
inline constexpr DType kDTypeOf<int64_t> = DType::kI64;
template <>
inline constexpr DType kDTypeOf<int32_t> = DType::kI32;
template <>
inline constexpr DType kDTypeOf<int16_t> = DType::kI16;

}  // namespace polytrain
