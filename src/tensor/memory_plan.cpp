#include "tensor/memory_plan.hpp"

#include <algorithm>

#include "core/checked.hpp"

namespace polytrain {
namespace {

size_t aligned(size_t bytes) {
    return (bytes + Backend::kAlignment - 1) / Backend::kAlignment * Backend::kAlignment;
}

double mib(size_t bytes) {
    return static_cast<double>(bytes) / (1024.0 * 1024.0);
}

}  // namespace

std::string_view name_of(Life life) {
    switch (life) {
        case Life::kParameter:
            return "parameter";
        case Life::kGradient:
            return "gradient";
        case Life::kOptimizer:
            return "optimizer";
        case Life::kExchange:
            return "exchange";
        case Life::kSaved:
            return "saved";
        case Life::kData:
            return "data";
        case Life::kScratch:
            return "scratch";
        case Life::kSnapshot:
            return "snapshot";
        case Life::kBorrowed:
            return "borrowed";
    }
    return "?";
}

TensorId MemoryPlan::add(std::string name, Shape shape, DType dtype, Life life) {
    using Area = Entry::Area;
    Entry entry{std::move(name), shape, dtype, life, 0, Area::kFixed};
    const size_t bytes = aligned(entry.bytes());
    const auto push = [&](Area area, size_t& top, size_t& peak) {
        entry.area = area;
        entry.offset = top;
        top += bytes;
        peak = std::max(peak, top);
    };
    size_t& life_bytes = life_bytes_[static_cast<size_t>(life)];
    if (life == Life::kScratch) {
        push(Area::kScratch, scratch_top_, scratch_peak_);
    } else if (life == Life::kGradient && shares_gradients_) {
        push(Area::kSharedGradients, gradient_top_, gradient_peak_);
    } else if (life == Life::kSnapshot) {
        push(Area::kSnapshot, life_bytes, life_bytes);
    } else if (life == Life::kBorrowed) {
        entry.area = Area::kBorrowed;
    } else {
        push(Area::kFixed, fixed_bytes_, fixed_bytes_);
        life_bytes += bytes;
    }
    entries_.push_back(std::move(entry));
    return {static_cast<int>(entries_.size()) - 1};
}

TensorId MemoryPlan::find(std::string_view name) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.name == name; });
    PT_CHECK(found != entries_.end(), "no tensor {} is planned", name);
    return TensorId{static_cast<int>(found - entries_.begin())};
}

size_t MemoryPlan::bytes(Life life) const {
    if (life == Life::kScratch) return scratch_peak_;
    return life_bytes_[static_cast<size_t>(life)] + (life == Life::kGradient ? gradient_peak_ : 0);
}

size_t MemoryPlan::arena_bytes() const {
    return fixed_bytes_ + gradient_peak_ + scratch_peak_;
}

size_t MemoryPlan::total_bytes() const {
    return arena_bytes() + bytes(Life::kSnapshot);
}

size_t MemoryPlan::op_scratch_bytes() const {
    size_t most = 0;
    for (const Entry& entry : entries_)
        if (entry.life == Life::kScratch && entry.dtype == DType::kU8)
            most = std::max(most, aligned(entry.bytes()));
    return most;
}

std::string MemoryPlan::table() const {
    std::string text = fmt::format("{:<12}{:>12}   largest tensor\n", "life", "MiB");
    for (Life life : kLives) {
        const Entry* largest = nullptr;
        for (const Entry& entry : entries_)
            if (entry.life == life && (largest == nullptr || entry.bytes() > largest->bytes()))
                largest = &entry;
        if (largest == nullptr) continue;
        text += fmt::format("{:<12}{:>12.2f}   {} {} {}\n", name_of(life), mib(bytes(life)),
                            largest->name, name_of(largest->dtype), largest->shape.text());
        if (life == Life::kScratch)
            text += fmt::format("{:<12}{:>12.2f}   of it for kernels and libraries\n", "",
                                mib(op_scratch_bytes()));
    }
    return text + fmt::format("{:<12}{:>12.2f}\n", "total", mib(total_bytes()));
}

Arena::Arena(Backend& backend, const MemoryPlan& plan) : backend_(backend) {
    PT_CHECK(plan.scratch_top_ == 0, "a scratch tensor was planned outside every scope");
    try {
        buffer_ = Buffer(backend, plan.arena_bytes());
    } catch (const Error& error) {
        fail(error.code(), "{}\nThe plan of this run's memory was:\n{}", error.what(),
             plan.table());
    }
    tensors_.reserve(plan.entries().size());
    for (const MemoryPlan::Entry& entry : plan.entries()) {
        size_t start = 0;
        switch (entry.area) {
            case MemoryPlan::Entry::Area::kSnapshot:
            case MemoryPlan::Entry::Area::kBorrowed:
                tensors_.emplace_back();
                continue;
            case MemoryPlan::Entry::Area::kScratch:
                start += plan.gradient_peak_;
                [[fallthrough]];
            case MemoryPlan::Entry::Area::kSharedGradients:
                start += plan.fixed_bytes_;
                break;
            case MemoryPlan::Entry::Area::kFixed:
                break;
        }
        const size_t offset = start + entry.offset;
        tensors_.push_back({static_cast<std::byte*>(buffer_.data()) + offset, entry.shape,
                            entry.dtype, backend.device()});
    }
}

void Arena::lend(TensorId id, const Tensor& tensor) {
    PT_CHECK(id.valid() && static_cast<size_t>(id.index) < tensors_.size() &&
                 !tensors_[static_cast<size_t>(id.index)].present(),
             "tensor {} has memory", id.index);
    tensors_[static_cast<size_t>(id.index)] = tensor;
}

Tensor Arena::operator[](TensorId id) const {
    if (!id.valid()) return Tensor{};
    PT_CHECK(static_cast<size_t>(id.index) < tensors_.size(), "tensor {} of another plan",
             id.index);
    return tensors_[static_cast<size_t>(id.index)];
}

}  // namespace polytrain
