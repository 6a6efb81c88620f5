// Results of more than 64 MiB go past the caches on a CPU; the bits must be those of a few rows.

#include <cstring>

#include "ops/activation.hpp"
#include "ops/rms_norm.hpp"
#include "support/op_suite.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

constexpr int64_t kRows = 16640;

// Memory of its own for each tensor, with numbers in it that repeat at no row.
class Memory {
  public:
    explicit Memory(const Machine& machine) : machine_(machine) {}
    Tensor make(Shape shape, DType dtype) {
        Tensor tensor = described(shape, dtype);
        tensor.data = buffers_.emplace_back(*machine_.backend, tensor.bytes()).data();
        for (int64_t i = 0; i < tensor.elements(); ++i)
            write_element(tensor, i, static_cast<double>(i * 7919 % 10007) / 5000.0 - 1.0);
        return tensor;
    }

  private:
    const Machine& machine_;
    std::vector<Buffer> buffers_;
};

// Whether `op` leaves in its `result` what it leaves for the first and the last few rows alone;
// `by_row` are the tensors that have those rows.
template <class Op>
void check_rows(const Machine& machine, Memory& memory, Op op, Tensor Op::*result,
                const std::vector<Tensor Op::*>& by_row) {
    const auto run = [&](Op ready) {
        Op::tensors([&](std::string_view, Tensor Op::*member, Role role) {
            if (role == Role::kScratch)
                ready.*member = memory.make(
                    {static_cast<int64_t>(machine.ops.scratch_bytes(ready))}, DType::kU8);
        });
        machine.ops.run(ready, machine.stream);
    };
    run(op);
    const int64_t few = 5;
    for (const int64_t first : {int64_t{0}, kRows - few}) {
        Op part = op;
        for (Tensor Op::*member : by_row) part.*member = (op.*member).rows(first, first + few);
        const Tensor whole = part.*result;
        part.*result = memory.make(whole.shape, whole.dtype);
        run(part);
        INFO(Op::kName << " in " << name_of(whole.dtype) << ", rows from " << first);
        CHECK(std::memcmp((part.*result).data, whole.data, whole.bytes()) == 0);
    }
}

}  // namespace

TEST_CASE("large results: rows have the bits of a small one's", "[cpu]") {
    const Machine machine(2);
    for (const DType storage : {DType::kF32, DType::kBf16}) {
        const int64_t width = storage == DType::kF32 ? 1024 : 2048;
        Memory memory(machine);
        const Tensor x = memory.make({kRows, width}, storage),
                     y = memory.make({kRows, width}, storage),
                     dx = memory.make({kRows, width}, storage),
                     gain = memory.make({width}, DType::kF32),
                     rstd = memory.make({kRows}, DType::kF32),
                     dgain = memory.make({width}, DType::kF32);
        using Norm = RmsNormForward;
        check_rows<Norm>(machine, memory, {x, gain, y, rstd}, &Norm::y_NC,
                         {&Norm::x_NC, &Norm::y_NC, &Norm::rstd_N});
        const Tensor sum = memory.make({kRows, width}, storage);
        check_rows<Norm>(
            machine, memory, {x, gain, y, rstd, 1e-5, dx, sum}, &Norm::sum_NC,
            {&Norm::x_NC, &Norm::y_NC, &Norm::rstd_N, &Norm::residual_NC, &Norm::sum_NC});
        using NormBack = RmsNormBackward;
        const std::vector<Tensor NormBack::*> by_row{&NormBack::x_NC, &NormBack::rstd_N,
                                                     &NormBack::dy_NC, &NormBack::dx_NC};
        check_rows<NormBack>(machine, memory, {x, gain, rstd, y, dx, dgain, {}}, &NormBack::dx_NC,
                             by_row);
        auto with_skip = by_row;
        with_skip.push_back(&NormBack::dskip_NC);
        check_rows<NormBack>(machine, memory, {x, gain, rstd, y, dx, dgain, {}, sum},
                             &NormBack::dx_NC, with_skip);
        const ActivationInfo* info = machine.ops.activations().find("polynorm");
        const Tensor a = memory.make({4}, DType::kF32), da = memory.make({4}, DType::kF32),
                     rstd_NR = memory.make({kRows, 3}, DType::kF32);
        using Act = ActivationForward;
        check_rows<Act>(machine, memory, {info, 3, false, x, a, y, rstd_NR}, &Act::y_NF,
                        {&Act::x_NX, &Act::y_NF, &Act::rstd_NR});
        using ActBack = ActivationBackward;
        check_rows<ActBack>(machine, memory, {info, 3, false, x, a, rstd_NR, y, dx, da, {}},
                            &ActBack::dx_NX,
                            {&ActBack::x_NX, &ActBack::rstd_NR, &ActBack::dy_NF, &ActBack::dx_NX});
    }
}
