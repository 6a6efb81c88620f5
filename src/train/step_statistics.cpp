#include "train/step_statistics.hpp"

#include <algorithm>
#include <numeric>

#include "tensor/host.hpp"

namespace polytrain {
namespace {

// Of a micro-batch: these, then the entropy of each layer's router.
enum Column : size_t { kCrossEntropy, kZ, kBalance, kRouterZ, kEntropies };

}  // namespace

double RouterLoad::highest() const {
    const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
    const int64_t most = *std::max_element(counts.begin(), counts.end());
    return total == 0 ? 0
                      : static_cast<double>(most) * static_cast<double>(counts.size()) /
                            static_cast<double>(total);
}

StepStatistics::StepStatistics(const Transformer& model, const Layout& layout)
    : model_(model), layout_(layout), width_(kEntropies + model.mixtures().size()) {}

void StepStatistics::begin() {
    table_.clear();
    counted_.clear();
    const size_t layers = model_.mixtures().size();
    counts_.assign(layers == 0 ? 0 : layers * static_cast<size_t>(experts()), 0);
}

std::vector<int64_t> StepStatistics::read_counts(const Pass& pass) const {
    std::vector<int64_t> all;
    for (const Moe* moe : model_.mixtures()) {
        const auto counts = to_host<int64_t>(pass.stream, moe->router().counts(pass));
        all.insert(all.end(), counts.begin(), counts.end());
    }
    return all;
}

void StepStatistics::write_scope_counts(const Pass& pass, std::span<const int64_t> counts) const {
    for (const Moe* moe : model_.mixtures()) {
        const Tensor to = moe->router().scope_counts(pass);
        pass.stream.upload(to, counts.data(), to.bytes());
        counts = counts.subspan(static_cast<size_t>(to.elements()));
    }
}

void StepStatistics::sum_over_ranks(const Pass& pass, std::vector<int64_t>& counts,
                                    const char* label) const {
    if (layout_.ranks > 1)
        pass.grid->all().all_reduce(host_view(counts), Reduce::kSum, label).wait();
}

void StepStatistics::count(const Pass& pass) {
    std::vector<int64_t> counts = read_counts(pass);
    counted_.resize(counts.size(), 0);
    for (size_t i = 0; i < counts.size(); ++i) counted_[i] += counts[i];
}

void StepStatistics::set_counts(const Pass& pass) {
    sum_over_ranks(pass, counted_, "router counts of the step");
    write_scope_counts(pass, counted_);
}

void StepStatistics::routed(const Pass& pass) {
    std::vector<double>& table = table_;
    const size_t row = table.size();
    table.resize(row + width_, 0.0);
    if (model_.mixtures().empty()) return;
    std::vector<int64_t> counts = read_counts(pass);
    for (size_t i = 0; i < counts.size(); ++i) counts_[i] += counts[i];
    const RouterShape& shape = model_.mixtures()[0]->router().shape();
    if (shape.scope != BalanceScope::kMicro && counted_.empty()) {
        sum_over_ranks(pass, counts, "router counts");
        write_scope_counts(pass, counts);
    }
    for (size_t layer = 0; layer < model_.mixtures().size(); ++layer) {
        const Router& router = model_.mixtures()[layer]->router();
        const auto scope_counts = to_host<int64_t>(pass.stream, router.scope_counts(pass));
        const auto sums = to_host<double>(pass.stream, router.sums(pass));
        // E sum_e f_e P_e with f_e = counts_e / sum of counts (that is K times the tokens).
        double product = 0, total = 0;
        for (size_t e = 0; e < scope_counts.size(); ++e) {
            product += static_cast<double>(scope_counts[e]) * sums[e];
            total += static_cast<double>(scope_counts[e]);
        }
        table[row + kBalance] +=
            shape.balance * static_cast<double>(shape.experts) * product / std::max(1.0, total);
        table[row + kRouterZ] += shape.z * sums[scope_counts.size()];
        table[row + kEntropies + layer] = sums[scope_counts.size() + 1];
    }
}

void StepStatistics::add_losses(const Transformer::LossSums& sums) {
    double* row = &table_[table_.size() - width_];
    row[kCrossEntropy] = sums.cross_entropy;
    row[kZ] = sums.z;
}

void StepStatistics::end(const Pass& pass, int64_t rounds) {
    // Round j of rank r is micro-batch j W + r.
    const auto ranks = static_cast<size_t>(layout_.ranks), rank = static_cast<size_t>(layout_.rank);
    const size_t own_rounds = table_.size() / width_;
    std::vector<double> all(std::max(static_cast<size_t>(rounds), own_rounds) * ranks * width_,
                            0.0);
    for (size_t j = 0; j < own_rounds; ++j)
        std::copy_n(&table_[j * width_], width_, &all[(j * ranks + rank) * width_]);
    if (ranks > 1) pass.grid->all().all_reduce(host_view(all), Reduce::kSum, "losses").wait();
    sum_over_ranks(pass, counts_, "router loads");
    totals_.assign(width_, 0.0);
    for (size_t i = 0; i < all.size(); ++i) totals_[i % width_] += all[i];
    loads_.clear();
    for (size_t layer = 0; layer < model_.mixtures().size(); ++layer) {
        const auto count = static_cast<size_t>(experts());
        const auto first = counts_.begin() + static_cast<std::ptrdiff_t>(layer * count);
        RouterLoad& load = loads_.emplace_back();
        load.counts.assign(first, first + static_cast<std::ptrdiff_t>(count));
    }
}

StepStatistics::Means StepStatistics::means(int64_t scored, int64_t routed) {
    const auto of = [](double total, int64_t tokens) {
        return total / static_cast<double>(std::max<int64_t>(1, tokens));
    };
    for (size_t layer = 0; layer < loads_.size(); ++layer)
        loads_[layer].entropy = of(totals_[kEntropies + layer], routed);
    return {of(totals_[kCrossEntropy], scored), of(totals_[kZ], scored),
            of(totals_[kBalance], routed), of(totals_[kRouterZ], routed)};
}

void update_router_biases(const Pass& pass, const Transformer& model,
                          const std::vector<RouterLoad>& loads, double rate) {
    for (size_t layer = 0; layer < loads.size(); ++layer) {
        const Tensor bias = pass[model.mixtures()[layer]->router().bias().value];
        auto values = to_host<float>(pass.stream, bias);
        const std::vector<int64_t>& counts = loads[layer].counts;
        const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
        const auto experts = static_cast<int64_t>(counts.size());
        for (size_t e = 0; e < counts.size(); ++e) {
            // counts_e against total / experts, in integers.
            const int64_t above = counts[e] * experts - total;
            if (above != 0) values[e] += static_cast<float>(above > 0 ? -rate : rate);
        }
        pass.stream.upload(bias, values.data(), bias.bytes());
    }
}

}  // namespace polytrain
