#pragma once
// Communicator: a group of ranks and its collectives. Every rank of a group issues the same
// collectives in the same order; messages of no rows are ordinary.
//
// Calls return at once; the buffers belong to the call until its Pending was waited for, in any
// order. Floating-point numbers are never summed here, since the order of a library's sum depends
// on the layout: who sums gathers the terms by all_to_all and adds them in a fixed order.
// (all_reduce takes f64 for terms of which all but one are zero.)

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/tensor.hpp"

namespace polytrain {

enum class Reduce : uint8_t { kSum, kMax };

struct Range {
    int64_t begin = 0, end = 0;
    int64_t length() const { return end - begin; }
};
// Side by side: from each offset to the next.
std::vector<Range> ranges_of(std::span<const int64_t> offsets);

// An operation under way. Dropping it without waiting is for exceptions that end the process.
class Pending {
  public:
    // What an implementation derives from.
    class Operation {
      public:
        virtual ~Operation() = default;
        virtual void wait() = 0;
        virtual bool done() = 0;
        // The caller goes on without waiting.
        virtual void abandon() = 0;
    };

    Pending() = default;  // of something that is done
    explicit Pending(std::shared_ptr<Operation> operation) : operation_(std::move(operation)) {}
    ~Pending() {
        if (operation_) operation_->abandon();
    }
    Pending(Pending&&) = default;
    Pending& operator=(Pending&& other) noexcept {
        std::swap(operation_, other.operation_);
        return *this;
    }

    // Returns when the buffers may be used again and hold the result. A peer that is lost ends the
    // process before that (World).
    void wait() {
        if (operation_) operation_->wait();
        operation_.reset();
    }
    bool done() const { return !operation_ || operation_->done(); }

  private:
    std::shared_ptr<Operation> operation_;
};

class Communicator {
  public:
    Communicator() = default;
    virtual ~Communicator() = default;
    Communicator(const Communicator&) = delete;
    Communicator& operator=(const Communicator&) = delete;

    virtual int rank() const = 0;
    virtual int size() const = 0;

    // `label` says what a call is for in messages and traces ("layers.3.moe rows").

    // In place, over i64 or f64 elements; every rank gets the same bits.
    virtual Pending all_reduce(const Tensor& values, Reduce reduce, std::string_view label) = 0;

    // Bytes sends[i] of `send` go to rank i, and what rank i sends lands in bytes receives[i] of
    // `receive`. The ranges, size() of them, are copied. The two sides must agree on the lengths.
    virtual Pending all_to_all(const void* send, std::span<const Range> sends, void* receive,
                               std::span<const Range> receives, std::string_view label) = 0;

    // Rank i's bytes [offsets[i], offsets[i + 1]) of `data` reach all others; offsets are the same
    // on all ranks and are copied.
    virtual Pending all_gather(void* data, std::span<const int64_t> offsets,
                               std::string_view label) = 0;

    // Root's bytes reach all.
    virtual Pending broadcast(void* data, int64_t bytes, int root, std::string_view label) = 0;
};

// Every rank's text, by rank. Blocks.
std::vector<std::string> gather_texts(Communicator& group, const std::string& text,
                                      std::string_view label);
// Returns when all ranks called it.
void barrier(Communicator& group, std::string_view label);

// The group of one rank.
std::unique_ptr<Communicator> make_local_communicator();

}  // namespace polytrain
