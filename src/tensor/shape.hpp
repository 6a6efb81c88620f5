#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace polytrain {

// Up to four dimensions, each >= 0; the product fits in int64.
class Shape {
  public:
    Shape() = default;  // rank 0: one element
    Shape(std::initializer_list<int64_t> dims);

    int rank() const { return rank_; }
    int64_t operator[](int dim) const { return dims_[static_cast<size_t>(dim)]; }
    int64_t elements() const;
    bool operator==(const Shape& other) const = default;

    std::string text() const;  // "[2, 3]"

  private:
    std::array<int64_t, 4> dims_{};
    int rank_ = 0;
};

}  // namespace polytrain
