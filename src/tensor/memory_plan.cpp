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
        case Life::kSaved:
            return "saved";
        case Life::kData:
            return "data";
        case Life::kScratch:
            return "scratch";
        case Life::kSnapshot:
            return "snapshot";
    }
    return "?";
}

TensorId MemoryPlan::add(std::string name, Shape shape, DType dtype, Life life) {
    Entry entry{std::move(name), shape, dtype, life, 0};
    const size_t bytes = aligned(entry.bytes());
    if (life == Life::kScratch) {
        entry.offset = scratch_top_;
        scratch_top_ += bytes;
        scratch_peak_ = std::max(scratch_peak_, scratch_top_);
    } else if (life == Life::kSnapshot) {
        size_t& snapshot_bytes = life_bytes_[static_cast<size_t>(life)];
        entry.offset = snapshot_bytes;
        snapshot_bytes += bytes;
    } else {
        entry.offset = fixed_bytes_;
        fixed_bytes_ += bytes;
        life_bytes_[static_cast<size_t>(life)] += bytes;
    }
    entries_.push_back(std::move(entry));
    return {static_cast<int>(entries_.size()) - 1};
}

size_t MemoryPlan::bytes(Life life) const {
    return life == Life::kScratch ? scratch_peak_ : life_bytes_[static_cast<size_t>(life)];
}

size_t MemoryPlan::total_bytes() const {
    return fixed_bytes_ + scratch_peak_ + bytes(Life::kSnapshot);
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
        buffer_ = Buffer(backend, plan.fixed_bytes_ + plan.scratch_peak_);
    } catch (const Error& error) {
        fail(error.code(), "{}\nThe plan of this run's memory was:\n{}", error.what(),
             plan.table());
    }
    tensors_.reserve(plan.entries().size());
    for (const MemoryPlan::Entry& entry : plan.entries()) {
        if (entry.life == Life::kSnapshot) {
            tensors_.emplace_back();
            continue;
        }
        const size_t offset =
            entry.offset + (entry.life == Life::kScratch ? plan.fixed_bytes_ : size_t{0});
        tensors_.push_back({static_cast<std::byte*>(buffer_.data()) + offset, entry.shape,
                            entry.dtype, backend.device()});
    }
}

Tensor Arena::operator[](TensorId id) const {
    if (!id.valid()) return Tensor{};
    PT_CHECK(static_cast<size_t>(id.index) < tensors_.size(), "tensor {} of another plan",
             id.index);
    return tensors_[static_cast<size_t>(id.index)];
}

}  // namespace polytrain
