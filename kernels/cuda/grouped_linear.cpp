#include "ops/grouped_linear.hpp"

#include <algorithm>

#include "kernels/common/groups.hpp"
#include "kernels/cuda/grouped_products.hpp"
#include "kernels/cuda/register.hpp"
#include "tensor/host.hpp"

namespace polytrain::cuda {
namespace {

bool is_storage(const Tensor& tensor) {
    return tensor.dtype == DType::kF32 || tensor.dtype == DType::kBf16;
}

// Elements `first` and on of a tensor.
const void* at(const Tensor& tensor, int64_t first) {
    return static_cast<const std::byte*>(tensor.data) +
           first * static_cast<int64_t>(size_of(tensor.dtype));
}
void* mutable_at(const Tensor& tensor, int64_t first) {
    return const_cast<void*>(at(tensor, first));
}

// Calls f(group, first row, rows) for each group that has rows.
template <class Op, class F>
void for_each_group(const Op& op, int64_t rows, const Stream& stream, F&& f) {
    std::vector<int64_t> read;
    if (op.host_offsets == nullptr) read = to_host<int64_t>(stream, op.offsets_G);
    std::vector<int64_t> offsets(op.host_offsets != nullptr ? op.host_offsets : read.data(),
                                 op.host_offsets != nullptr ? op.host_offsets + op.offsets_G.dim(0)
                                                            : read.data() + read.size());
    (void)checked_offsets(op.kName, host_view(offsets), rows);
    for (size_t g = 0; g + 1 < offsets.size(); ++g)
        if (offsets[g] < offsets[g + 1])
            f(static_cast<int64_t>(g), offsets[g], offsets[g + 1] - offsets[g]);
}

void forward(GroupedProducts& products, const GroupedLinearForward& op, const Stream& stream) {
    const int64_t matrices = op.w_EOI.dim(0), out = op.w_EOI.dim(1), in = op.w_EOI.dim(2);
    std::vector<GroupedProducts::Group> groups;
    for_each_group(op, op.x_RI.dim(0), stream, [&](int64_t g, int64_t first, int64_t rows) {
        groups.push_back({forward_product(rows, in, out, op.x_RI.dtype),
                          at(op.w_EOI, g % matrices * out * in), at(op.x_RI, first * in),
                          mutable_at(op.y_RO, first * out)});
    });
    products.run(groups, op.scratch, stream);
}

void backward_input(GroupedProducts& products, const GroupedLinearBackwardInput& op,
                    const Stream& stream) {
    const int64_t matrices = op.w_EOI.dim(0), out = op.w_EOI.dim(1), in = op.w_EOI.dim(2);
    std::vector<GroupedProducts::Group> groups;
    for_each_group(op, op.dy_RO.dim(0), stream, [&](int64_t g, int64_t first, int64_t rows) {
        groups.push_back({input_product(rows, in, out, op.dy_RO.dtype),
                          at(op.w_EOI, g % matrices * out * in), at(op.dy_RO, first * out),
                          mutable_at(op.dx_RI, first * in)});
    });
    products.run(groups, op.scratch, stream);
}

void backward_weight(GroupedProducts& products, const GroupedLinearBackwardWeight& op,
                     const Stream& stream) {
    const int64_t slots = op.dw_DOI.dim(0), out = op.dw_DOI.dim(1), in = op.dw_DOI.dim(2);
    std::vector<GroupedProducts::Group> groups;
    for_each_group(op, op.dy_RO.dim(0), stream, [&](int64_t g, int64_t first, int64_t rows) {
        groups.push_back({weight_product(rows, in, out, op.dy_RO.dtype), at(op.x_RI, first * in),
                          at(op.dy_RO, first * out), mutable_at(op.dw_DOI, g % slots * out * in)});
    });
    products.run(groups, op.scratch, stream);
}

template <class Op, class Largest>
void add(OpTable& table, GroupedProducts& products, Tensor Op::*storage,
         void (*run)(GroupedProducts&, const Op&, const Stream&), Largest largest) {
    table.add<Op>(
        {"cublas", [storage](const Op& op) { return is_storage(op.*storage); },
         [&products, run](const Op& op, const Stream& stream) { run(products, op, stream); },
         [largest](const Op& op) {
             return GroupedProducts::scratch_bytes(op.offsets_G.dim(0) - 1, largest(op));
         }});
}

}  // namespace

void register_grouped_linear(OpTable& table, GroupedProducts& products) {
    add<GroupedLinearForward>(
        table, products, &GroupedLinearForward::x_RI, forward, [](const auto& op) {
            return forward_product(op.x_RI.dim(0), op.w_EOI.dim(2), op.w_EOI.dim(1), op.x_RI.dtype);
        });
    add<GroupedLinearBackwardInput>(
        table, products, &GroupedLinearBackwardInput::dy_RO, backward_input, [](const auto& op) {
            return input_product(op.dy_RO.dim(0), op.w_EOI.dim(2), op.w_EOI.dim(1), op.dy_RO.dtype);
        });
    add<GroupedLinearBackwardWeight>(table, products, &GroupedLinearBackwardWeight::dy_RO,
                                     backward_weight, [](const auto& op) {
                                         return weight_product(op.dy_RO.dim(0), op.dw_DOI.dim(2),
                                                               op.dw_DOI.dim(1), op.dy_RO.dtype);
                                     });
}

}  // namespace polytrain::cuda
