#include "nn/expert_exchange.hpp"

#include <algorithm>

#include "tensor/host.hpp"

namespace polytrain {
namespace {

std::vector<int64_t> offsets_of(const std::vector<int64_t>& counts) {
    std::vector<int64_t> offsets{0};
    for (const int64_t count : counts) offsets.push_back(offsets.back() + count);
    return offsets;
}

// Every `step`-th.
std::vector<int64_t> every(const std::vector<int64_t>& values, int64_t step) {
    std::vector<int64_t> some;
    for (size_t i = 0; i < values.size(); i += static_cast<size_t>(step)) some.push_back(values[i]);
    return some;
}

std::vector<int64_t> times(std::vector<int64_t> values, int64_t factor) {
    for (int64_t& value : values) value *= factor;
    return values;
}

}  // namespace

void ExpertExchange::plan(const Planner& planner) {
    place_count_ = planner.layout.expert;
    most_rows_ = place_count_ * planner.rows() * std::min(top_k_, experts_ / place_count_);
    if (is_alone()) most_rows_ = planner.rows() * top_k_;
    offsets_G_ = planner.saved_in_block(name_ + ".offsets_G", {experts_ + 1}, DType::kI64);
}

ExpertExchange::Routes ExpertExchange::exchange_counts(const Pass& pass,
                                                       const Tensor& counts_E) const {
    const std::vector<int64_t> sent = to_host<int64_t>(pass.stream, counts_E);
    std::vector<int64_t> received = sent;
    const int64_t local = experts_ / place_count_;
    if (!is_alone()) {
        std::vector<int64_t> bytes;
        for (int64_t i = 0; i <= place_count_; ++i)
            bytes.push_back(i * local * static_cast<int64_t>(sizeof(int64_t)));
        pass.grid->experts()
            .all_to_all(sent.data(), bytes, received.data(), bytes, name_ + " counts")
            .wait();
    }
    const std::vector<int64_t> offsets = offsets_of(received);
    PT_CHECK(offsets.back() <= most_rows_, "{}: {} rows arrive, {} at most were planned", name_,
             offsets.back(), most_rows_);
    pass.stream.upload(pass[offsets_G_], offsets.data(), offsets.size() * sizeof(int64_t));
    return {every(offsets_of(sent), local), every(offsets, local)};
}

ExpertExchange::Routes ExpertExchange::routes(const Pass& pass, const Tensor& counts_E) const {
    const int64_t local = experts_ / place_count_;
    return {every(offsets_of(to_host<int64_t>(pass.stream, counts_E)), local),
            every(to_host<int64_t>(pass.stream, pass[offsets_G_]), local)};
}

Pending ExpertExchange::to_experts(const Pass& pass, const Routes& routes, const Tensor& sent,
                                   const Tensor& received) const {
    return move(pass, routes.sent, sent, routes.received, received, " rows to experts");
}

Pending ExpertExchange::to_tokens(const Pass& pass, const Routes& routes, const Tensor& received,
                                  const Tensor& sent) const {
    return move(pass, routes.received, received, routes.sent, sent, " rows to tokens");
}

Pending ExpertExchange::move(const Pass& pass, const std::vector<int64_t>& from_rows,
                             const Tensor& from, const std::vector<int64_t>& to_rows,
                             const Tensor& to, const char* what) const {
    const auto row_bytes = width_ * static_cast<int64_t>(size_of(from.dtype));
    return pass.groups->experts().all_to_all(from.data, times(from_rows, row_bytes), to.data,
                                             times(to_rows, row_bytes), name_ + what);
}

}  // namespace polytrain
