// Rows of RMSNorm in two passes, for rms_norm and qk_norm. Included once per instruction set, as
// lanes-inl.hpp.

#if defined(POLYTRAIN_KERNELS_CPU_NORM_ROW_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYTRAIN_KERNELS_CPU_NORM_ROW_INL_HPP
#undef POLYTRAIN_KERNELS_CPU_NORM_ROW_INL_HPP
#else
#define POLYTRAIN_KERNELS_CPU_NORM_ROW_INL_HPP
#endif

#include <algorithm>
#include <cmath>

#include "hwy/aligned_allocator.h"
#include "kernels/cpu/row_stream-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

// f32 for each column of rows of T, in the order of those rows' pairs and filled with zeros up to a
// whole one: read and written by load_pair and store_pair.
template <class T>
class PairedColumns {
  public:
    explicit PairedColumns(int64_t width)
        : width_(width),
          padded_((width + pair_count() - 1) / pair_count() * pair_count()),
          values_(hwy::AllocateAligned<float>(static_cast<size_t>(padded_))) {
        std::fill_n(data(), padded_, 0.0f);
    }
    PairedColumns(const float* columns_C, int64_t width) : PairedColumns(width) {
        std::transform(columns_C, columns_C + width, data(), plain_nan);
        reorder([](float* at) HWY_ATTR {
            Pair x;
            hn::LoadInterleaved2(LaneTag(), at, x.a.v, x.b.v);
            store_pair(x, at);
        });
    }
    float* data() { return values_.get(); }
    const float* data() const { return values_.get(); }
    // In the order of columns again; the last use.
    void copy_to(float* columns_C) {
        reorder([](float* at) HWY_ATTR {
            const Pair x = load_pair(at);
            hn::StoreInterleaved2(x.a.v, x.b.v, LaneTag(), at);
        });
        std::copy_n(data(), width_, columns_C);
    }

  private:
    template <class F>
    void reorder(const F& f) {
        if constexpr (sizeof(T) == sizeof(float)) return;
        for (float* at = data(); at < data() + padded_; at += pair_count()) f(at);
    }

    int64_t width_, padded_;
    hwy::AlignedFreeUniquePtr<float[]> values_;
};

// What is normed: x, or sum = x + residual, rounded to T.
template <class T, bool kAdds>
struct NormInput {
    const T *x, *residual = nullptr;

    template <class Access>
    HWY_INLINE Pair read(Access access, int64_t c) const {
        Pair value = access.read(x + c);
        if constexpr (kAdds) value = rounded_to<T>(value + access.read(residual + c));
        return value;
    }
};

// y = x rstd gain, where rstd = 1 / sqrt(mean(x^2) + eps). y may be x.
template <class T, bool kAdds = false>
struct NormForward {
    struct First {
        NormInput<T, kAdds> in;
        const RowStream<T>* out;
        Pair squares = Pair(0.0f);

        template <class Access>
        HWY_INLINE void operator()(Access access, int64_t c) {
            const Pair value = in.read(access, c);
            squares = multiply_add(value, value, squares);
            out->expect_behind(in.x + c);
            if constexpr (kAdds) out->expect_behind(in.residual + c);
        }
        HWY_INLINE float rstd(int64_t width, double eps) const {
            const double mean = static_cast<double>(sum_of(squares)) / static_cast<double>(width);
            return static_cast<float>(1 / std::sqrt(mean + eps));
        }
    };
    struct Second {
        NormInput<T, kAdds> in;
        const float* gain;  // PairedColumns
        float rstd;
        T* y;
        const RowStream<T>* out;
        T* sum = nullptr;
        const RowStream<T>* sum_out = nullptr;

        template <class Access>
        HWY_INLINE void operator()(Access access, int64_t c) const {
            const Pair value = in.read(access, c);
            if constexpr (kAdds) sum_out->write(access, value, sum + c);
            out->write(access, value * Pair(rstd) * load_pair(gain + c), y + c);
        }
    };
};

// dx = rstd (dy gain - x rstd^2 mean(dy gain x)) + dskip; dgain += dy x rstd. dx may be dy or
// dskip.
template <class T, bool kAdds = false>
struct NormBackward {
    struct First {
        const T *x, *dy;
        const float* gain;  // PairedColumns, as dgain
        float rstd;
        float* dgain;
        const RowStream<T>* out;
        Pair dot = Pair(0.0f);

        template <class Access>
        HWY_INLINE void operator()(Access access, int64_t c) {
            const Pair g = access.read(dy + c), value = access.read(x + c);
            dot = multiply_add(g * load_pair(gain + c), value, dot);
            store_pair(multiply_add(g * value, Pair(rstd), load_pair(dgain + c)), dgain + c);
            out->expect_behind(x + c);
            out->expect_behind(dy + c);
        }
        HWY_INLINE float through_norm(int64_t width) const {
            return rstd * rstd * sum_of(dot) / static_cast<float>(width);
        }
    };
    struct Second {
        const T *x, *dy;
        const float* gain;
        float rstd, through_norm;
        T* dx;
        const RowStream<T>* out;
        const T* dskip = nullptr;

        template <class Access>
        HWY_INLINE void operator()(Access access, int64_t c) const {
            const Pair h = access.read(dy + c) * load_pair(gain + c);
            Pair d = Pair(rstd) * (h - access.read(x + c) * Pair(through_norm));
            if constexpr (kAdds) {
                d = access.read(dskip + c) + d;
                out->expect_behind(dskip + c);
            }
            out->write(access, d, dx + c);
        }
    };
};

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
