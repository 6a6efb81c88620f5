#pragma once
// MemoryPlan: every tensor of a model, with name, shape, dtype and life, before any memory is had.
// One plan drives the arena, the table printed at start, `polytrain plan` and the out-of-memory
// message; there is no second estimator to disagree with it.
//
// A snapshot is host memory that whoever planned it allocates, and what is borrowed lies in another
// plan's arena; all else lies in this plan's.
// Scratch is a stack: what is declared inside a MemoryPlan::Scope shares its bytes with what the
// scopes after it declare. Gradients declared inside a MemoryPlan::SharedGradients share theirs in
// the same way, in an area of their own. All other lives keep their own bytes.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/backend.hpp"
#include "tensor/tensor.hpp"

namespace polytrain {

enum class Life : uint8_t {
    kParameter,
    kGradient,
    kOptimizer,
    kExchange,  // what is sent to and received from other ranks when gradients are reduced
    kSaved,
    kData,
    kScratch,
    kSnapshot,
    kBorrowed
};
inline constexpr std::array kLives{Life::kParameter, Life::kGradient, Life::kOptimizer,
                                   Life::kExchange,  Life::kSaved,    Life::kData,
                                   Life::kScratch,   Life::kSnapshot, Life::kBorrowed};
// "parameter", "gradient", "optimizer", "exchange", "saved", "data", "scratch", "snapshot",
// "borrowed".
std::string_view name_of(Life life);

// Names a planned tensor.
struct TensorId {
    int index = -1;
    bool valid() const { return index >= 0; }
};

class MemoryPlan {
  public:
    struct Entry {
        std::string name;
        Shape shape;
        DType dtype;
        Life life;
        size_t offset;  // from the start of the arena, or of `area`
        enum class Area : uint8_t { kFixed, kSharedGradients, kScratch, kSnapshot, kBorrowed } area;
        size_t bytes() const { return static_cast<size_t>(shape.elements()) * size_of(dtype); }
    };

    // Scratch declared while a scope lives is released, for the plan's later entries, at its end.
    class Scope {
      public:
        explicit Scope(MemoryPlan& plan) : plan_(plan), mark_(plan.scratch_top_) {}
        ~Scope() { plan_.scratch_top_ = mark_; }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        MemoryPlan& plan_;
        size_t mark_;
    };

    // While it lives, gradients are declared into memory that is free again at its end.
    class SharedGradients {
      public:
        explicit SharedGradients(MemoryPlan& plan) : plan_(plan) { plan_.shares_gradients_ = true; }
        ~SharedGradients() {
            plan_.shares_gradients_ = false;
            plan_.gradient_top_ = 0;
        }
        SharedGradients(const SharedGradients&) = delete;
        SharedGradients& operator=(const SharedGradients&) = delete;

      private:
        MemoryPlan& plan_;
    };

    TensorId add(std::string name, Shape shape, DType dtype, Life life);

    const std::vector<Entry>& entries() const { return entries_; }
    // The tensor planned under this name, the first of it.
    TensorId find(std::string_view name) const;
    // Bytes of one life, each tensor rounded up to the alignment; for scratch the highest stack.
    size_t bytes(Life life) const;
    size_t arena_bytes() const;
    size_t total_bytes() const;
    // Of the scratch, what kernels and libraries work in: the largest that any op asks for. It is
    // planned as bytes without a type.
    size_t op_scratch_bytes() const;
    // A table of bytes by life, one line each, and the largest tensors of each.
    std::string table() const;

  private:
    friend class Arena;
    std::vector<Entry> entries_;
    std::array<size_t, kLives.size()> life_bytes_{};
    size_t fixed_bytes_ = 0;  // of the arena, all but scratch
    size_t scratch_top_ = 0, scratch_peak_ = 0;
    bool shares_gradients_ = false;
    size_t gradient_top_ = 0, gradient_peak_ = 0;  // of the shared ones
};

// The memory of a plan, in one allocation.
class Arena {
  public:
    // Out of memory: exit 70 with the plan's table in the message.
    Arena(Backend& backend, const MemoryPlan& plan);

    // The view of a planned tensor; an absent Tensor for an id that was never planned, a snapshot,
    // or what is borrowed and was not lent yet.
    Tensor operator[](TensorId id) const;
    // The memory of a borrowed tensor, of its shape and type, which must outlive the arena's use.
    void lend(TensorId id, const Tensor& tensor);
    Backend& backend() const { return backend_; }

  private:
    Backend& backend_;
    Buffer buffer_;
    std::vector<Tensor> tensors_;
};

}  // namespace polytrain
