#include "nn/expert_exchange.hpp"

#include <algorithm>

#include "tensor/host.hpp"

namespace polytrain {

void ExpertExchange::plan(const Planner& planner) {
    place_count_ = planner.layout.expert;
    most_rows_ = planner.rows() * top_k_;
    if (!is_alone()) {
        most_rows_ = place_count_ * planner.rows() * std::min(top_k_, experts_ / place_count_);
        if (planner.expert_rows > 0) most_rows_ = std::min(most_rows_, planner.expert_rows);
    }
    offsets_G_ = planner.saved_in_block(name_ + ".offsets_G", {experts_ + 1}, DType::kI64);
}

const std::vector<ExpertWave>& ExpertExchange::exchange_counts(const Pass& pass,
                                                               const Tensor& counts_E) {
    std::vector<int64_t> counts = to_host<int64_t>(pass.stream, counts_E);
    int64_t place = 0;
    if (!is_alone()) {
        const std::vector<int64_t> own = counts;
        place = pass.grid->layout().place();
        counts.resize(static_cast<size_t>(place_count_ * experts_));
        std::copy(own.begin(), own.end(), counts.begin() + place * experts_);
        std::vector<int64_t> offsets;
        for (int64_t i = 0; i <= place_count_; ++i)
            offsets.push_back(i * experts_ * static_cast<int64_t>(sizeof(int64_t)));
        pass.grid->experts().all_gather(counts.data(), offsets, name_ + " counts").wait();
    }
    waves_ = expert_waves(counts, place_count_, place, most_rows_);
    return waves_;
}

ExpertGroups ExpertExchange::groups(const Pass& pass, const ExpertWave& wave) const {
    const Tensor offsets = pass[offsets_G_];
    pass.stream.upload(offsets, wave.offsets.data(), offsets.bytes());
    return {offsets, wave.offsets};
}

Pending ExpertExchange::to_experts(const Pass& pass, const ExpertWave& wave, const Tensor& sent,
                                   const Tensor& received) const {
    return move(pass, wave.sent, sent, wave.received, received, " rows to experts");
}

Pending ExpertExchange::to_tokens(const Pass& pass, const ExpertWave& wave, const Tensor& received,
                                  const Tensor& sent) const {
    return move(pass, wave.received, received, wave.sent, sent, " rows to tokens");
}

Pending ExpertExchange::move(const Pass& pass, const std::vector<Range>& from_rows,
                             const Tensor& from, const std::vector<Range>& to_rows,
                             const Tensor& to, const char* what) const {
    const auto bytes_of = [&](std::vector<Range> ranges) {
        const auto row_bytes = width_ * static_cast<int64_t>(size_of(from.dtype));
        for (Range& range : ranges) range = {range.begin * row_bytes, range.end * row_bytes};
        return ranges;
    };
    return pass.groups->experts().all_to_all(from.data, bytes_of(from_rows), to.data,
                                             bytes_of(to_rows), name_ + what);
}

}  // namespace polytrain
