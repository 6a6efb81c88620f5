#include "ops/activation.hpp"

#include <array>
#include <utility>

namespace polytrain {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kGatedForms{
    {{"swiglu", "silu"}, {"geglu", "gelu"}, {"reglu", "relu"}}};

// The checks that both directions share.
template <class Op>
void check_common(const Op& op, const Tensor& y_NF) {
    PT_CHECK(op.info != nullptr, "{}: no activation", Op::kName);
    PT_CHECK(
        !op.info->has_order() || (op.order >= op.info->min_order && op.order <= op.info->max_order),
        "{}: {} of order {}", Op::kName, op.info->name, op.order);
    PT_CHECK(y_NF.shape.rank() == 2, "{}: y is {}", Op::kName, y_NF.shape.text());
    const int64_t n = y_NF.dim(0), width = y_NF.dim(1);
    const DType dtype = y_NF.dtype, acc = accumulator_of(dtype);
    check_tensor(Op::kName, "x_NX", op.x_NX, {n, op.gated ? 2 * width : width}, dtype);
    check_tensor(Op::kName, "coefficients_P", op.coefficients_P, {op.info->coefficients(op.order)},
                 acc);
    check_tensor(Op::kName, "rstd_NR", op.rstd_NR, {n, op.info->statistics(op.order)}, acc);
}

}  // namespace

void ActivationCatalog::add(ActivationInfo info) {
    PT_CHECK(find(info.name) == nullptr, "two activations are called {}", info.name);
    all_.push_back(std::move(info));
}

const ActivationInfo* ActivationCatalog::find(std::string_view name) const {
    for (const ActivationInfo& info : all_)
        if (info.name == name) return &info;
    return nullptr;
}

std::vector<std::string> ActivationCatalog::names() const {
    std::vector<std::string> names;
    for (const ActivationInfo& info : all_) names.push_back(info.name);
    for (const auto& [form, base] : kGatedForms)
        if (find(base) != nullptr) names.emplace_back(form);
    return names;
}

std::string_view ActivationCatalog::gated_form(std::string_view name) {
    for (const auto& [form, base] : kGatedForms)
        if (form == name) return base;
    return {};
}

void ActivationForward::check() const {
    check_common(*this, y_NF);
}

void ActivationBackward::check() const {
    check_common(*this, dy_NF);
    check_tensor(kName, "dx_NX", dx_NX, x_NX.shape, dy_NF.dtype);
    check_tensor(kName, "dcoefficients_P", dcoefficients_P, coefficients_P.shape,
                 coefficients_P.dtype);
}

}  // namespace polytrain
