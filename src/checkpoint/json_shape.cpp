#include "checkpoint/json_shape.hpp"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/checked.hpp"

namespace polytrain {

std::optional<Shape> shape_from_json(const nlohmann::json& dims, DType dtype) {
    if (!dims.is_array() || dims.size() > 4) return std::nullopt;
    int64_t d[4] = {1, 1, 1, 1};
    for (size_t i = 0; i < dims.size(); ++i) {
        constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
        if (!dims[i].is_number_unsigned() || dims[i].get<uint64_t>() > kMax) return std::nullopt;
        d[i] = dims[i].get<int64_t>();
    }
    const auto bytes_of_one = static_cast<int64_t>(size_of(dtype));
    if (!checked_product({d[0], d[1], d[2], d[3], bytes_of_one})) return std::nullopt;
    switch (dims.size()) {
        case 0:
            return Shape{};
        case 1:
            return Shape{d[0]};
        case 2:
            return Shape{d[0], d[1]};
        case 3:
            return Shape{d[0], d[1], d[2]};
        default:
            return Shape{d[0], d[1], d[2], d[3]};
    }
}

nlohmann::json shape_to_json(const Shape& shape) {
    nlohmann::json dims = nlohmann::json::array();
    for (int i = 0; i < shape.rank(); ++i) dims.push_back(shape[i]);
    return dims;
}

}  // namespace polytrain
