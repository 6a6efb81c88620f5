// Rows on their way from memory and back. Included once per instruction set; the guard follows
// Highway's rule.

#if defined(POLYTRAIN_KERNELS_CPU_ROW_STREAM_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYTRAIN_KERNELS_CPU_ROW_STREAM_INL_HPP
#undef POLYTRAIN_KERNELS_CPU_ROW_STREAM_INL_HPP
#else
#define POLYTRAIN_KERNELS_CPU_ROW_STREAM_INL_HPP
#endif

#include "hwy/cache_control.h"
#include "kernels/cpu/pairs-inl.hpp"
#include "tensor/tensor.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

// A result too large to be found in a cache by who reads it next is stored past the caches: a plain
// store would first read the memory that it overwrites. What its rows are made of isn't in a cache
// either, and is asked for ahead of its use, pair by pair: so many requests at once as a whole row
// has would wait for each other.
template <class T>
class RowStream {
  public:
    RowStream() = default;  // plain stores
    // Of runs of `width` elements, each row of `result` being one or more.
    RowStream(const Tensor& result, int64_t width)
        : streams_(result.bytes() >= kLeastBytes && width % pair_count() == 0 &&
                   width * static_cast<int64_t>(sizeof(T)) % kLine == 0 &&
                   reinterpret_cast<intptr_t>(result.data) % kLine == 0) {}
    ~RowStream() {
        if (streams_) hwy::FlushStream();
    }
    RowStream(const RowStream&) = delete;
    RowStream& operator=(const RowStream&) = delete;

    bool streams() const { return streams_; }
    // To be called with each pair that is read for the first time.
    HWY_INLINE void expect_behind(const T* pair) const {
        if (!streams_) return;
        const int64_t count = pair_count() * static_cast<int64_t>(sizeof(T));
        const auto* bytes = reinterpret_cast<const char*>(pair) + kBytesAhead;
        for (int64_t i = 0; i < count; i += kLine) hwy::Prefetch(bytes + i);
    }
    template <class Access>
    HWY_INLINE void write(Access access, Pair x, T* to) const {
        if constexpr (Access::kIsWhole)
            if (streams_) return stream_pair(x, to);
        access.write(x, to);
    }

  private:
    static constexpr size_t kLeastBytes = size_t{64} << 20;
    static constexpr int64_t kLine = 64, kBytesAhead = 4096;

    bool streams_ = false;
};

// Rows in two passes, of which the second needs what the first sums over its whole row. Where
// `rows.out` streams, the first pass is two rows ahead in the same loop: so memory is read and
// written all the time, and no row waits for its sums' last steps. Of `rows`:
//   First first(n)                   called with (access, c) for each pair of row n
//   Second second(n, const First&)   the same, later; of plain values
template <class Rows>
HWY_INLINE void for_rows_in_two_passes(int64_t begin, int64_t end, int64_t width, Rows& rows) {
    if (!rows.out.streams()) {
        for (int64_t n = begin; n < end; ++n) {
            auto first = rows.first(n);
            for_pairs(width, first);
            auto second = rows.second(n, first);
            for_pairs(width, second);
        }
        return;
    }
    constexpr int64_t kAhead = 2;
    typename Rows::Second waiting[kAhead] = {};
    for (int64_t n = begin; n < end + kAhead; ++n) {
        auto second = waiting[n % kAhead];
        const bool has_second = n - kAhead >= begin;
        if (n < end) {
            auto first = rows.first(n);
            has_second ? for_whole_pairs(width, first, second) : for_whole_pairs(width, first);
            waiting[n % kAhead] = rows.second(n, first);
        } else if (has_second) {
            for_whole_pairs(width, second);
        }
    }
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
