#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "tensor/dtype.hpp"
#include "tensor/shape.hpp"

namespace polytrain {

// An array of at most four sizes whose tensor of `dtype` has an addressable number of bytes;
// nothing for any other JSON.
std::optional<Shape> shape_from_json(const nlohmann::json& dims, DType dtype);

nlohmann::json shape_to_json(const Shape& shape);

}  // namespace polytrain
