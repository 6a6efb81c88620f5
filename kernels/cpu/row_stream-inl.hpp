// Rows of a result on their way to memory. Included once per instruction set; the guard follows
// Highway's rule.

#if defined(POLYTRAIN_KERNELS_CPU_ROW_STREAM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYTRAIN_KERNELS_CPU_ROW_STREAM_INL_HPP
#undef POLYTRAIN_KERNELS_CPU_ROW_STREAM_INL_HPP
#else
#define POLYTRAIN_KERNELS_CPU_ROW_STREAM_INL_HPP
#endif

#include <vector>

#include "hwy/cache_control.h"
#include "kernels/cpu/lanes-inl.hpp"
#include "tensor/tensor.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

// Of a result too large to be found in a cache by who reads it next, each row is made in a buffer
// and then stored past the caches: a plain store would first read the memory that it overwrites.
// Smaller results are made in their place.
template <class T>
class RowStream {
  public:
    // `result`: [rows, width].
    explicit RowStream(const Tensor& result) : rows_(result.as<T>()), width_(result.dim(1)) {
        const int64_t row_bytes = width_ * static_cast<int64_t>(sizeof(T));
        streams_ = result.bytes() >= kLeastBytes && row_bytes % kLine == 0 &&
                   reinterpret_cast<intptr_t>(rows_) % kLine == 0;
        if (streams_) buffer_.resize(static_cast<size_t>(width_));
    }
    ~RowStream() {
        if (streams_) hwy::FlushStream();
    }
    RowStream(const RowStream&) = delete;
    RowStream& operator=(const RowStream&) = delete;

    // Where row n is to be made; then done(n).
    HWY_INLINE T* row(int64_t n) { return streams_ ? buffer_.data() : rows_ + n * width_; }
    // Asks for elements that a row to come reads, where there is no cache to hope for.
    HWY_INLINE void expect(const T* next, int64_t count) const {
        if (!streams_) return;
        const auto* bytes = reinterpret_cast<const char*>(next);
        for (int64_t i = 0; i < count * static_cast<int64_t>(sizeof(T)); i += kLine)
            hwy::Prefetch(bytes + i);
    }
    HWY_INLINE void done(int64_t n) const {
        if (!streams_) return;
        const auto* from = reinterpret_cast<const float*>(buffer_.data());
        auto* to = reinterpret_cast<float*>(rows_ + n * width_);
        const int64_t floats = width_ * static_cast<int64_t>(sizeof(T)) / 4, lanes = lane_count();
        for (int64_t i = 0; i < floats; i += lanes)
            hn::Stream(hn::LoadU(LaneTag(), from + i), LaneTag(), to + i);
    }

  private:
    static constexpr size_t kLeastBytes = size_t{64} << 20;
    static constexpr int64_t kLine = 64;

    T* rows_;
    int64_t width_;
    bool streams_ = false;
    std::vector<T> buffer_;
};

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
