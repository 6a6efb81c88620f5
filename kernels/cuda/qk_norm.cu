// Over each head: a team of lanes to a head, which it holds in registers; a block goes through the
// heads of a row. Over the whole projection, and for heads too wide for a team: rms_norm's rows.

#include "ops/qk_norm.hpp"

#include "kernels/cuda/norm_rows.hpp"
#include "kernels/cuda/register.hpp"

namespace polytrain::cuda {
namespace {

constexpr int kThreads = 256;

// The heads of a packed row.
struct Heads {
    int queries, keys, width;
    __device__ __forceinline__ int normed() const { return queries + keys; }
    __device__ __forceinline__ int64_t packed() const {
        return int64_t{queries + 2 * keys} * width;
    }
};

// kLanes of a warp that share a head, each kTurns packs of it.
template <class T, int kLanesOfTeam, int kTurnsOfLane>
struct Team {
    using Element = T;
    static constexpr int kLanes = kLanesOfTeam, kTurns = kTurnsOfLane;
    static constexpr int kEach = kTurns * kPack<T>;
    static constexpr int kTeams = kThreads / kLanes;

    // The lane's first column of each turn.
    static __device__ __forceinline__ int column(int turn) {
        return (turn * kLanes + static_cast<int>(threadIdx.x) % kLanes) * kPack<T>;
    }
    static __device__ __forceinline__ float sum(float x) {
#pragma unroll
        for (int bits = kLanes / 2; bits > 0; bits /= 2) x += __shfl_xor_sync(~0u, x, bits);
        return x;
    }
    template <class From>
    static __device__ __forceinline__ void load(const From* from, int width, float (&v)[kEach]) {
#pragma unroll
        for (int turn = 0; turn < kTurns; ++turn) {
            float part[kPack<T>];
            load_packs(from + column(turn), width - column(turn), part);
#pragma unroll
            for (int j = 0; j < kPack<T>; ++j) v[turn * kPack<T> + j] = part[j];
        }
    }
    static __device__ __forceinline__ void store(T* to, int width, const float (&v)[kEach]) {
#pragma unroll
        for (int turn = 0; turn < kTurns; ++turn) {
            float part[kPack<T>];
#pragma unroll
            for (int j = 0; j < kPack<T>; ++j) part[j] = v[turn * kPack<T> + j];
            if (column(turn) < width) store_pack(to + column(turn), width - column(turn), part);
        }
    }
};

template <class In>
__global__ void __launch_bounds__(kThreads)
    head_norm_forward(const typename In::Element* x_NP, const float* gain_q, const float* gain_k,
                      typename In::Element* y_NP, float* rstd_NS, int64_t rows, Heads heads,
                      float eps) {
    const int team = static_cast<int>(threadIdx.x) / In::kLanes;
    const int all = heads.normed() + heads.keys;
    for (int64_t n = blockIdx.x; n < rows; n += gridDim.x)
        for (int first = 0; first < all; first += In::kTeams) {  // the same for all lanes of a warp
            const int head = first + team, width = head < all ? heads.width : 0;
            const int64_t at = n * heads.packed() + int64_t{head} * heads.width;
            float v[In::kEach], gain[In::kEach];
            In::load(x_NP + at, width, v);
            float squares = 0;
#pragma unroll
            for (int j = 0; j < In::kEach; ++j) squares += v[j] * v[j];
            const float rstd = rsqrtf(In::sum(squares) / static_cast<float>(heads.width) + eps);
            if (head < heads.normed()) {
                In::load(head < heads.queries ? gain_q : gain_k, width, gain);
#pragma unroll
                for (int j = 0; j < In::kEach; ++j) v[j] *= rstd * gain[j];
                if (threadIdx.x % In::kLanes == 0) rstd_NS[n * heads.normed() + head] = rstd;
            }
            In::store(y_NP + at, width, v);
        }
}

// What the block's teams add to a gain's gradient: parts_D, teams in order.
template <class In>
__device__ __forceinline__ void sum_teams(const float (&own)[In::kEach], float* shared, int width,
                                          float* parts_D) {
    constexpr int kColumns = In::kLanes * In::kEach;
    const int team = static_cast<int>(threadIdx.x) / In::kLanes;
    __syncthreads();
#pragma unroll
    for (int j = 0; j < In::kEach; ++j)
        shared[team * kColumns + In::column(j / kPack<typename In::Element>) +
               j % kPack<typename In::Element>] = own[j];
    __syncthreads();
    for (int c = static_cast<int>(threadIdx.x); c < width; c += kThreads) {
        float sum = 0;
        for (int i = 0; i < In::kTeams; ++i) sum += shared[i * kColumns + c];
        parts_D[c] = sum;
    }
}

template <class In>
__global__ void __launch_bounds__(kThreads)
    head_norm_backward(const typename In::Element* x_NP, const float* gain_q, const float* gain_k,
                       const float* rstd_NS, typename In::Element* d_NP, float* parts_q_BD,
                       float* parts_k_BD, int64_t rows, Heads heads) {
    SHARED_ARRAY(float, shared, kThreads* In::kEach);
    const int team = static_cast<int>(threadIdx.x) / In::kLanes;
    float dgain_q[In::kEach] = {}, dgain_k[In::kEach] = {};
    for (int64_t n = blockIdx.x; n < rows; n += gridDim.x)
        for (int first = 0; first < heads.normed(); first += In::kTeams) {
            const int head = first + team;
            const bool is_query = head < heads.queries;
            const int width = head < heads.normed() ? heads.width : 0;
            const int64_t at = n * heads.packed() + int64_t{head} * heads.width;
            const float rstd = width > 0 ? rstd_NS[n * heads.normed() + head] : 0.0f;
            float v[In::kEach], d[In::kEach], gain[In::kEach];
            In::load(x_NP + at, width, v);
            In::load(d_NP + at, width, d);
            In::load(is_query ? gain_q : gain_k, width, gain);
            float product = 0;
#pragma unroll
            for (int j = 0; j < In::kEach; ++j) {
                v[j] *= rstd;
                const float through_gain = d[j] * v[j];
                dgain_q[j] += is_query ? through_gain : 0.0f;
                dgain_k[j] += is_query ? 0.0f : through_gain;
                product += through_gain * gain[j];
            }
            const float mean = In::sum(product) / static_cast<float>(heads.width);
#pragma unroll
            for (int j = 0; j < In::kEach; ++j) d[j] = rstd * (d[j] * gain[j] - v[j] * mean);
            In::store(d_NP + at, width, d);
        }
    sum_teams<In>(dgain_q, shared, heads.width, parts_q_BD + int64_t{blockIdx.x} * heads.width);
    sum_teams<In>(dgain_k, shared, heads.width, parts_k_BD + int64_t{blockIdx.x} * heads.width);
}

// Calls f(Team{}) for heads that a team can hold; false for wider ones.
template <class T, class F>
bool with_team(int64_t width, const F& f) {
    const int64_t packs = (width + kPack<T> - 1) / kPack<T>;
    if (packs <= 8)
        f(Team<T, 8, 1>{});
    else if (packs <= 16)
        f(Team<T, 16, 1>{});
    else if (packs <= 32)
        f(Team<T, 32, 1>{});
    else if (packs <= 64)
        f(Team<T, 32, 2>{});
    else
        return false;
    return true;
}

template <class Op>
Heads heads_of(const Op& op) {
    return {static_cast<int>(op.heads), static_cast<int>(op.kv_heads),
            static_cast<int>(op.head_width())};
}
template <class Op>
NormRows segment_rows(const Op& op, int64_t width) {
    return {op.x_NP.dim(0), width, op.x_NP.dim(1), op.rstd_NS.dim(1)};
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    copy_columns(const T* from, T* to, int64_t rows, int64_t width, int64_t stride) {
    for (int64_t n = blockIdx.x; n < rows; n += gridDim.x)
        for (int64_t c = threadIdx.x * kPack<T>; c < width; c += blockDim.x * kPack<T>) {
            float v[kPack<T>];
            load_pack(from + n * stride + c, width - c, v);
            store_pack(to + n * stride + c, width - c, v);
        }
}

template <class T>
void forward(const QkNormForward& op, const DeviceInfo& device, const Stream& stream) {
    const T* x = data_of<T>(op.x_NP);
    T* y = data_of<T>(op.y_NP);
    const auto *gain_q = data_of<float>(op.gain_q), *gain_k = data_of<float>(op.gain_k);
    auto* rstd = data_of<float>(op.rstd_NS);
    const int64_t rows = op.x_NP.dim(0), packed = op.x_NP.dim(1);
    const int64_t blocks = std::min<int64_t>(rows, 16 * device.multiprocessors);
    if (op.per_head && with_team<T>(op.head_width(), [&](auto team) {
            launch("qk_norm.forward", head_norm_forward<decltype(team)>, {blocks, kThreads}, stream,
                   x, gain_q, gain_k, y, rstd, rows, heads_of(op), static_cast<float>(op.eps));
        }))
        return;
    for_each_segment(op, [&](int64_t s, int64_t begin, int64_t width, bool is_query) {
        run_rms_norm_forward(device, stream, segment_rows(op, width), x + begin,
                             is_query ? gain_q : gain_k, y + begin, rstd + s, op.eps);
    });
    const int64_t values = (op.heads + op.kv_heads) * op.head_width();
    launch("qk_norm.values", copy_columns<T>, {blocks, kThreads}, stream, x + values, y + values,
           rows, packed - values, packed);
}

template <class T>
void backward(const QkNormBackward& op, const DeviceInfo& device, const Stream& stream) {
    const T* x = data_of<T>(op.x_NP);
    T* d = data_of<T>(op.d_NP);
    const auto *gain_q = data_of<float>(op.gain_q), *gain_k = data_of<float>(op.gain_k);
    const auto* rstd = data_of<float>(op.rstd_NS);
    auto *dgain_q = data_of<float>(op.dgain_q), *dgain_k = data_of<float>(op.dgain_k);
    auto* parts = data_of<float>(op.scratch);
    const int64_t rows = op.x_NP.dim(0), blocks = row_blocks(rows);
    if (op.per_head && with_team<T>(op.head_width(), [&](auto team) {
            float* const parts_k = parts + blocks * op.head_width();
            launch("qk_norm.backward", head_norm_backward<decltype(team)>, {blocks, kThreads},
                   stream, x, gain_q, gain_k, rstd, d, parts, parts_k, rows, heads_of(op));
            add_parts(parts, blocks, op.head_width(), dgain_q, stream);
            add_parts(parts_k, blocks, op.head_width(), dgain_k, stream);
        }))
        return;
    for_each_segment(op, [&](int64_t s, int64_t begin, int64_t width, bool is_query) {
        run_rms_norm_backward(device, stream, segment_rows(op, width), x + begin,
                              is_query ? gain_q : gain_k, rstd + s, d + begin, d + begin,
                              is_query ? dgain_q : dgain_k, parts);
    });
}

size_t scratch_bytes(const QkNormBackward& op) {
    size_t bytes = op.per_head ? 2 * norm_scratch_bytes(op.x_NP.dim(0), op.head_width()) : 0;
    for_each_segment(op, [&](int64_t, int64_t, int64_t width, bool) {
        bytes = std::max(bytes, norm_scratch_bytes(op.x_NP.dim(0), width));
    });
    return bytes;
}

}  // namespace

void register_qk_norm(OpTable& table, const DeviceInfo& device) {
    add_cuda<QkNormForward>(
        table, &QkNormForward::x_NP, [device](const QkNormForward& op, const Stream& stream) {
            with_storage(op.x_NP, [&](auto t) { forward<decltype(t)>(op, device, stream); });
        });
    add_cuda<QkNormBackward>(
        table, &QkNormBackward::x_NP,
        [device](const QkNormBackward& op, const Stream& stream) {
            with_storage(op.x_NP, [&](auto t) { backward<decltype(t)>(op, device, stream); });
        },
        scratch_bytes);
}

}  // namespace polytrain::cuda
