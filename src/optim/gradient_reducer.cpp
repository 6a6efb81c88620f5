#include "optim/gradient_reducer.hpp"

#include <algorithm>
#include <bit>

#include "ops/elementwise.hpp"

namespace polytrain {
namespace {

Tensor flat(const Tensor& tensor) {
    return tensor.reshaped({tensor.elements()});
}

// terms[0] = the sum of all terms as a balanced binary tree: (0 + 1) + (2 + 3), ...
template <class Term>
void add_as_tree(const Pass& pass, int64_t count, const Term& term) {
    for (int64_t step = 1; step < count; step *= 2)
        for (int64_t i = 0; i + step < count; i += 2 * step)
            pass.run(Add{term(i), term(i + step), term(i)});
}

// Bytes `begin` and on of a buffer, as elements of another type.
Tensor view_at(const Tensor& buffer, int64_t begin, int64_t elements, DType dtype) {
    return {static_cast<std::byte*>(buffer.data) + begin, {elements}, dtype, buffer.device};
}

}  // namespace

GradientReducer::GradientReducer(Buckets buckets, Sharding sharding, int64_t rounds)
    : buckets_(std::move(buckets)), sharding_(sharding), rounds_(rounds) {}

template <class F>
void GradientReducer::for_each_shard(const Parcel& parcel, int rank, F&& f) {
    for (const Parameter* parameter : parcel.parameters)
        if (const Shard shard = shard_of(*parameter, parcel.ranks, rank); shard.elements() > 0)
            f(*parameter, shard);
}

std::vector<int64_t> GradientReducer::byte_offsets(const Parcel& parcel, Of of,
                                                   const MemoryPlan& plan) {
    std::vector<int64_t> offsets{0};
    for (int rank = 0; rank < parcel.ranks; ++rank) {
        int64_t bytes = 0;
        for_each_shard(parcel, rank, [&](const Parameter& parameter, const Shard& shard) {
            const auto& entry = plan.entries()[static_cast<size_t>((parameter.*of).index)];
            bytes += shard.elements() * static_cast<int64_t>(size_of(entry.dtype));
        });
        offsets.push_back(offsets.back() + bytes);
    }
    return offsets;
}

void GradientReducer::plan(const Planner& planner) {
    layout_ = planner.layout;
    exact_ = planner.exact;
    each_round_ = exact_ || sharding_ == Sharding::kStateAndGradients;
    int64_t most = 0;
    for (const auto& bucket : buckets_) {
        std::vector<Parcel>& parcels = parcels_.emplace_back();
        for (const bool experts : {false, true}) {
            Parcel parcel;
            parcel.is_experts = experts;
            for (const Parameter* parameter : bucket)
                if (parameter->is_experts() == experts) parcel.parameters.push_back(parameter);
            if (parcel.parameters.empty()) continue;
            parcel.ranks = replicas(*parcel.parameters[0], layout_);
            parcel.own = replica(*parcel.parameters[0], layout_);
            parcel.sizes = byte_offsets(parcel, &Parameter::gradient, planner.plan);
            parcel.value_sizes = byte_offsets(parcel, &Parameter::value, planner.plan);
            if (parcel.ranks > 1)
                most = std::max({most, parcel.sizes.back(),
                                 parcel.ranks * (parcel.sizes[static_cast<size_t>(parcel.own) + 1] -
                                                 parcel.sizes[static_cast<size_t>(parcel.own)])});
            parcels.push_back(std::move(parcel));
        }
    }
    for (size_t i = 0; most > 0 && i < slots_.size(); ++i) {
        const auto add = [&](const char* what) {
            return planner.plan.add(fmt::format("reduction.{}_{}", what, i), {most}, DType::kU8,
                                    Life::kExchange);
        };
        slots_[i].sent = add("sent");
        slots_[i].received = add("received");
    }
    if (!each_round_) return;
    // A tree over so many rounds keeps one sum a level.
    const int levels = exact_ ? std::bit_width(static_cast<uint64_t>(rounds_)) : 1;
    for (const auto& bucket : buckets_)
        for (const Parameter* parameter : bucket) {
            const auto index = static_cast<size_t>(parameter->index);
            if (sums_.size() <= index) sums_.resize(index + 1);
            for (int level = 0; level < levels; ++level)
                sums_[index].push_back(planner.plan.add(
                    fmt::format("{}.sum_{}", parameter->name, level),
                    {own_shard(*parameter, layout_).elements()}, planner.acc(), Life::kGradient));
        }
}

void GradientReducer::zero(const Pass& pass, size_t bucket) const {
    for (const Parameter* parameter : buckets_[bucket]) pass.stream.zero(pass[parameter->gradient]);
}

void GradientReducer::begin_step(const Pass& pass) {
    round_ = 0;
    if (each_round_) return;
    for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) zero(pass, bucket);
}

void GradientReducer::begin_round(const Pass& pass) {
    if (!each_round_) return;
    // Of a tied head the first and the last bucket add to one gradient. Those between may lie in
    // memory that they share.
    zero(pass, 0);
    if (buckets_.size() > 1) zero(pass, buckets_.size() - 1);
}

bool GradientReducer::pass_round() {
    if (each_round_ || (layout_.ranks > 1 && is_last_round())) return false;
    ++round_;
    return true;
}

void GradientReducer::begin_bucket(const Pass& pass, size_t bucket) {
    if (each_round_ && bucket > 0 && bucket + 1 < buckets_.size()) zero(pass, bucket);
}

void GradientReducer::bucket_ready(const Pass& pass, size_t bucket) {
    if (each_round_ || is_last_round()) reduce(pass, bucket);
    if (bucket + 1 < buckets_.size()) return;
    if (each_round_)
        for (Slot& slot : slots_) receive(pass, slot);
    ++round_;
}

void GradientReducer::end_step(const Pass& pass) {
    // A step of fewer micro-batches than were told hasn't sent anything yet.
    if (!each_round_ && round_ < rounds_)
        for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) reduce(pass, bucket);
    for (Slot& slot : slots_) receive(pass, slot);
    PT_CHECK(!exact_ || std::has_single_bit(static_cast<uint64_t>(round_)),
             "exact reduction of {} rounds", round_);
}

Communicator& GradientReducer::group(const Pass& pass, const Parcel& parcel) const {
    return parcel.is_experts ? pass.groups->replicas() : pass.groups->all();
}

void GradientReducer::reduce(const Pass& pass, size_t bucket) {
    for (const Parcel& parcel : parcels_[bucket]) {
        for (const Parameter* parameter : parcel.parameters) {
            const Tensor gradient = pass[parameter->gradient];
            const int64_t size = parameter->local_shape.elements();
            add_as_tree(pass, parameter->sources,
                        [&](int64_t i) { return flat(gradient).rows(i * size, (i + 1) * size); });
        }
        if (parcel.ranks > 1) {
            send(pass, parcel);
            continue;
        }
        for_each_shard(parcel, 0, [&](const Parameter& parameter, const Shard& shard) {
            take_sum(pass, parameter, shard_view(pass[parameter.gradient], shard));
        });
    }
}

void GradientReducer::send(const Pass& pass, const Parcel& parcel) {
    Slot& slot = slots_[next_slot_];
    next_slot_ = (next_slot_ + 1) % slots_.size();
    receive(pass, slot);
    const Tensor sent = pass[slot.sent], received = pass[slot.received];
    int64_t at = 0;
    for (int rank = 0; rank < parcel.ranks; ++rank)
        for_each_shard(parcel, rank, [&](const Parameter& parameter, const Shard& shard) {
            const Tensor from = shard_view(pass[parameter.gradient], shard);
            pass.stream.copy(view_at(sent, at, shard.elements(), from.dtype), from);
            at += static_cast<int64_t>(from.bytes());
        });
    std::vector<int64_t> arrive;
    for (int rank = 0; rank <= parcel.ranks; ++rank) arrive.push_back(rank * parcel.own_bytes());
    slot.parcel = &parcel;
    slot.pending = group(pass, parcel)
                       .all_to_all(sent.data, ranges_of(parcel.sizes), received.data,
                                   ranges_of(arrive), parcel.parameters[0]->name + " gradients");
}

void GradientReducer::receive(const Pass& pass, Slot& slot) {
    if (slot.parcel == nullptr) return;
    const Parcel& parcel = *std::exchange(slot.parcel, nullptr);
    slot.pending.wait();
    const Tensor received = pass[slot.received];
    const DType acc = pass[parcel.parameters[0]->gradient].dtype;
    const int64_t elements = parcel.own_bytes() / static_cast<int64_t>(size_of(acc));
    add_as_tree(pass, parcel.ranks, [&](int64_t rank) {
        return view_at(received, rank * parcel.own_bytes(), elements, acc);
    });
    int64_t at = 0;
    for_each_shard(parcel, parcel.own, [&](const Parameter& parameter, const Shard& shard) {
        const Tensor sum = view_at(received, at, shard.elements(), acc);
        take_sum(pass, parameter, sum);
        at += static_cast<int64_t>(sum.bytes());
    });
}

void GradientReducer::take_sum(const Pass& pass, const Parameter& parameter,
                               const Tensor& sum) const {
    if (!each_round_) {
        const Tensor own = own_sum(pass, parameter);
        if (own.data != sum.data) pass.stream.copy(own, sum);
        return;
    }
    const std::vector<TensorId>& levels = sums_[static_cast<size_t>(parameter.index)];
    if (!exact_) {
        const Tensor total = pass[levels[0]];
        return round_ == 0 ? pass.stream.copy(total, sum) : pass.run(Add{total, sum, total});
    }
    // Like a binary counter: equal levels join, and carry.
    size_t level = 0;
    for (auto rounds = static_cast<uint64_t>(round_); (rounds & 1) != 0; rounds >>= 1)
        pass.run(Add{pass[levels[level++]], sum, sum});
    PT_CHECK(level < levels.size(), "{}: more than {} micro-batches", parameter.name, rounds_);
    pass.stream.copy(pass[levels[level]], sum);
}

Tensor GradientReducer::own_sum(const Pass& pass, const Parameter& parameter) const {
    if (!each_round_) return shard_view(pass[parameter.gradient], own_shard(parameter, layout_));
    const std::vector<TensorId>& levels = sums_[static_cast<size_t>(parameter.index)];
    // After a power of two of rounds the highest level has all of them.
    const int level = exact_ ? std::bit_width(static_cast<uint64_t>(round_)) - 1 : 0;
    PT_CHECK(round_ > 0, "the gradient of {} before any micro-batch", parameter.name);
    return pass[levels[static_cast<size_t>(level)]];
}

void GradientReducer::share_sums(const Pass& pass) {
    if (each_round_)
        for (const auto& bucket : buckets_)
            for (const Parameter* parameter : bucket)
                pass.stream.copy(
                    shard_view(pass[parameter->gradient], own_shard(*parameter, layout_)),
                    own_sum(pass, *parameter));
    share(pass, &Parameter::gradient, " sums");
}

void GradientReducer::share_values(const Pass& pass) {
    share(pass, &Parameter::value, " values");
}

void GradientReducer::share(const Pass& pass, Of of, const char* label) {
    const auto take = [&](Slot& slot) {
        if (slot.parcel == nullptr) return;
        const Parcel& parcel = *std::exchange(slot.parcel, nullptr);
        slot.pending.wait();
        int64_t at = 0;
        for (int rank = 0; rank < parcel.ranks; ++rank)
            for_each_shard(parcel, rank, [&](const Parameter& parameter, const Shard& shard) {
                const Tensor to = shard_view(pass[parameter.*of], shard);
                if (rank != parcel.own)
                    pass.stream.copy(to,
                                     view_at(pass[slot.received], at, shard.elements(), to.dtype));
                at += static_cast<int64_t>(to.bytes());
            });
    };
    for (const auto& parcels : parcels_)
        for (const Parcel& parcel : parcels) {
            if (parcel.ranks == 1) continue;
            Slot& slot = slots_[next_slot_];
            next_slot_ = (next_slot_ + 1) % slots_.size();
            take(slot);
            const std::vector<int64_t>& offsets =
                of == &Parameter::value ? parcel.value_sizes : parcel.sizes;
            int64_t at = offsets[static_cast<size_t>(parcel.own)];
            for_each_shard(parcel, parcel.own, [&](const Parameter& parameter, const Shard& shard) {
                const Tensor from = shard_view(pass[parameter.*of], shard);
                pass.stream.copy(view_at(pass[slot.received], at, shard.elements(), from.dtype),
                                 from);
                at += static_cast<int64_t>(from.bytes());
            });
            slot.parcel = &parcel;
            slot.pending = group(pass, parcel)
                               .all_gather(pass[slot.received].data, offsets,
                                           parcel.parameters[0]->name + label);
        }
    for (Slot& slot : slots_) take(slot);
}

GradientReducer::Traffic GradientReducer::traffic() const {
    Traffic traffic;
    for (const auto& parcels : parcels_)
        for (const Parcel& parcel : parcels) {
            const auto own = static_cast<size_t>(parcel.own);
            traffic.reduce +=
                (parcel.sizes.back() - parcel.own_bytes()) * (each_round_ ? rounds_ : 1);
            traffic.share +=
                (parcel.ranks - 1) * (sharding_ == Sharding::kNone
                                          ? parcel.own_bytes()
                                          : parcel.value_sizes[own + 1] - parcel.value_sizes[own]);
        }
    return traffic;
}

}  // namespace polytrain
