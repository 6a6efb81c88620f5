#pragma once
// OpTable: for each op contract the ordered list of a device's implementations. The first whose
// applies() holds runs. `force` picks one by name to bisect a bug (ops.force in the config), and
// POLYTRAIN_TRACE=ops prints which one ran, once per shape, with its time; POLYTRAIN_TRACE=times
// prints at the end, for each op, implementation and shape, how often it ran and for how long.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "ops/activation.hpp"
#include "ops/op.hpp"
#include "tensor/backend.hpp"

namespace polytrain {

template <class Op>
struct Implementation {
    std::string name;  // "reference", "cpu", ...
    // Looks at shapes, dtypes and numbers only: it is also asked before there is memory.
    std::function<bool(const Op&)> applies;
    std::function<void(const Op&, const Stream&)> run;
    // Bytes that the op's `scratch` tensor must have; empty: none.
    std::function<size_t(const Op&)> scratch_bytes;
};

class OpTable {
  public:
    OpTable();
    ~OpTable();
    OpTable(const OpTable&) = delete;
    OpTable& operator=(const OpTable&) = delete;

    // Appends to the op's list.
    template <class Op>
    void add(Implementation<Op> implementation) {
        lists_[std::string(Op::kName)].push_back(erase(std::move(implementation)));
    }

    // From now on only `implementation` of the op (a base name, "rms_norm", for all its
    // directions) runs. An unknown name is a config error (exit 78) that lists the known ones.
    void force(const std::string& op, const std::string& implementation);

    // Checks the op, then runs it. An op that nothing applies to is a config error.
    template <class Op>
    void run(const Op& op, const Stream& stream) const {
        op.check();
        const Erased& chosen = choose(Op::kName, &op);
        if (trace_ == Trace::kNone) return chosen.run(&op, stream);
        stream.synchronize();
        Stopwatch watch;
        chosen.run(&op, stream);
        stream.synchronize();
        trace(Op::kName, chosen.name, shapes_of(op), watch.seconds());
    }

    // The name of the implementation that run() of this op takes (its tensors need no memory).
    template <class Op>
    const std::string& choice(const Op& op) const {
        return choose(Op::kName, &op).name;
    }

    // Bytes of scratch that run() of this op needs (its tensors need shapes, but no memory).
    template <class Op>
    size_t scratch_bytes(const Op& op) const {
        const Erased& chosen = choose(Op::kName, &op);
        return chosen.scratch_bytes ? chosen.scratch_bytes(&op) : 0;
    }

    // The implementations of an op by full name ("rms_norm.forward"), first choice first.
    std::vector<std::string> implementations(std::string_view op) const;
    std::vector<std::string> ops() const;

    ActivationCatalog& activations() { return activations_; }
    const ActivationCatalog& activations() const { return activations_; }

  private:
    struct Erased {
        std::string name;
        std::function<bool(const void*)> applies;
        std::function<void(const void*, const Stream&)> run;
        std::function<size_t(const void*)> scratch_bytes;
    };

    template <class Op>
    static Erased erase(Implementation<Op> typed) {
        Erased erased;
        erased.name = std::move(typed.name);
        erased.applies = [f = std::move(typed.applies)](const void* op) {
            return !f || f(*static_cast<const Op*>(op));
        };
        erased.run = [f = std::move(typed.run)](const void* op, const Stream& stream) {
            f(*static_cast<const Op*>(op), stream);
        };
        if (typed.scratch_bytes)
            erased.scratch_bytes = [f = std::move(typed.scratch_bytes)](const void* op) {
                return f(*static_cast<const Op*>(op));
            };
        return erased;
    }

    template <class Op>
    static std::string shapes_of(const Op& op) {
        std::string text;
        Op::tensors([&](std::string_view name, Tensor Op::*member, Role) {
            const Tensor& tensor = op.*member;
            if (tensor.present())
                text += fmt::format(" {}={}{}", name, name_of(tensor.dtype), tensor.shape.text());
        });
        return text;
    }

    const Erased& choose(std::string_view op_name, const void* op) const;
    void trace(std::string_view op, const std::string& implementation, const std::string& shapes,
               double seconds) const;

    std::map<std::string, std::vector<Erased>, std::less<>> lists_;
    std::map<std::string, std::string, std::less<>> forced_;  // base name -> implementation
    ActivationCatalog activations_;
    enum class Trace : uint8_t { kNone, kOps, kTimes };
    Trace trace_ = Trace::kNone;
    mutable std::map<std::string, std::vector<float>> seconds_;  // by what ran
};

}  // namespace polytrain
