// Panels: some columns of a matrix, or rows transposed, packed as f32 side by side so that an inner
// loop reads whole vectors front to back.
// Included once per instruction set, after hwy/foreach_target.h; the guard follows Highway's rule.

#if defined(POLYTRAIN_KERNELS_CPU_PANEL_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYTRAIN_KERNELS_CPU_PANEL_INL_HPP
#undef POLYTRAIN_KERNELS_CPU_PANEL_INL_HPP
#else
#define POLYTRAIN_KERNELS_CPU_PANEL_INL_HPP
#endif

#include <algorithm>

#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace polytrain::cpu::HWY_NAMESPACE {

// Four lanes, or one where vectors have no more.
using QuadTag = hn::CappedTag<float, 4>;
constexpr int64_t kQuad = hn::MaxLanes(LaneTag()) >= 4 ? 4 : 1;

HWY_INLINE hn::Vec<QuadTag> load_quad(const float* from) {
    return hn::LoadU(QuadTag(), from);
}
HWY_INLINE hn::Vec<QuadTag> load_quad(const Bf16* from) {
    const hn::Rebind<uint16_t, QuadTag> half_tag;
    const hn::Rebind<uint32_t, QuadTag> bits_tag;
    const auto half = hn::LoadU(half_tag, reinterpret_cast<const uint16_t*>(from));
    return hn::BitCast(QuadTag(), hn::ShiftLeft<16>(hn::PromoteTo(bits_tag, half)));
}

// to[i * to_row + j] = from[j * from_row + i] for i, j < 4.
template <class T>
HWY_INLINE void transpose_quads(const T* from, int64_t from_row, float* to, int64_t to_row) {
#if HWY_TARGET == HWY_SCALAR
    to[0] = static_cast<float>(from[0]);
    (void)from_row, (void)to_row;
#else
    const QuadTag tag;
    const hn::RepartitionToWide<hn::Rebind<uint32_t, QuadTag> > pair_tag;
    const auto a = load_quad(from), b = load_quad(from + from_row);
    const auto c = load_quad(from + 2 * from_row), d = load_quad(from + 3 * from_row);
    const auto ab_low = hn::BitCast(pair_tag, hn::InterleaveLower(tag, a, b));
    const auto ab_high = hn::BitCast(pair_tag, hn::InterleaveUpper(tag, a, b));
    const auto cd_low = hn::BitCast(pair_tag, hn::InterleaveLower(tag, c, d));
    const auto cd_high = hn::BitCast(pair_tag, hn::InterleaveUpper(tag, c, d));
    const auto store_pairs = [&](auto pairs, int64_t i) HWY_ATTR {
        hn::StoreU(hn::BitCast(tag, pairs), tag, to + i * to_row);
    };
    store_pairs(hn::InterleaveLower(pair_tag, ab_low, cd_low), 0);
    store_pairs(hn::InterleaveUpper(pair_tag, ab_low, cd_low), 1);
    store_pairs(hn::InterleaveLower(pair_tag, ab_high, cd_high), 2);
    store_pairs(hn::InterleaveUpper(pair_tag, ab_high, cd_high), 3);
#endif
}

// A panel: to[k * kWidth + j] = from[j * stride + k * inner_stride] for j < count, 0 up to kWidth.
template <int64_t kWidth, class T>
void pack_panel(const T* from, int64_t stride, int64_t inner_stride, int64_t count, int64_t inner,
                float* to) {
    int64_t k = 0;
    if (count == kWidth && inner_stride == 1)
        for (; k + kQuad <= inner; k += kQuad)
            for (int64_t j = 0; j < kWidth; j += kQuad)
                transpose_quads(from + j * stride + k, stride, to + k * kWidth + j, kWidth);
    for (; k < inner; ++k) {
        for (int64_t j = 0; j < count; ++j)
            to[k * kWidth + j] = static_cast<float>(from[j * stride + k * inner_stride]);
        std::fill(to + k * kWidth + count, to + (k + 1) * kWidth, 0.0f);
    }
}

}  // namespace polytrain::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
