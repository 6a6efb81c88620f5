#include "ops/op_table.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "core/log.hpp"

namespace polytrain {
namespace {

// "rms_norm" of "rms_norm.forward".
std::string_view base_of(std::string_view op) {
    return op.substr(0, op.find('.'));
}

}  // namespace

OpTable::OpTable() {
    const char* trace = std::getenv("POLYTRAIN_TRACE");
    if (trace == nullptr) return;
    if (std::string_view(trace) == "ops") trace_ = Trace::kOps;
    if (std::string_view(trace) == "times") trace_ = Trace::kTimes;
}

OpTable::~OpTable() {
    if (trace_ != Trace::kTimes || seconds_.empty()) return;
    std::vector<std::pair<double, std::string>> lines;
    for (auto& [what, seconds] : seconds_) {
        std::sort(seconds.begin(), seconds.end());
        const auto calls = static_cast<double>(seconds.size());
        const double median = static_cast<double>(seconds[seconds.size() / 2]);
        lines.emplace_back(-median * calls,
                           fmt::format("{:9.3f} ms, {:5} calls of {:9.1f} us: {}",
                                       median * calls * 1e3, seconds.size(), median * 1e6, what));
    }
    std::sort(lines.begin(), lines.end());
    log::info("trace: median times of ops, the longest first");
    for (const auto& [order, line] : lines) log::info("{}", line);
}

void OpTable::force(const std::string& op, const std::string& implementation) {
    std::set<std::string> bases, names;
    for (const auto& [name, list] : lists_) {
        bases.emplace(base_of(name));
        if (base_of(name) == op)
            for (const Erased& entry : list) names.insert(entry.name);
    }
    if (!bases.contains(op))
        fail(ExitCode::kBadConfig, "ops.force: no op is called '{}'; there are: {}", op,
             fmt::join(bases, ", "));
    if (!names.contains(implementation))
        fail(ExitCode::kBadConfig, "ops.force.{}: no implementation is called '{}'; there are: {}",
             op, implementation, fmt::join(names, ", "));
    forced_[op] = implementation;
}

const OpTable::Erased& OpTable::choose(std::string_view op_name, const void* op) const {
    const auto list = lists_.find(op_name);
    PT_CHECK(list != lists_.end(), "op {} has no implementation", op_name);
    const auto forced = forced_.find(base_of(op_name));
    for (const Erased& entry : list->second)
        if ((forced == forced_.end() || entry.name == forced->second) && entry.applies(op))
            return entry;
    fail(ExitCode::kBadConfig, "op {}: {} for these shapes and types", op_name,
         forced == forced_.end() ? std::string("no implementation applies")
                                 : fmt::format("the forced '{}' does not apply", forced->second));
}

void OpTable::trace(std::string_view op, const std::string& implementation,
                    const std::string& shapes, double seconds) const {
    const std::string what = fmt::format("{} by {}:{}", op, implementation, shapes);
    std::vector<float>& all = seconds_[what];
    if (trace_ == Trace::kOps && all.empty()) log::info("trace: {} {:.1f} us", what, seconds * 1e6);
    if (trace_ == Trace::kTimes || all.empty()) all.push_back(static_cast<float>(seconds));
}

std::vector<std::string> OpTable::implementations(std::string_view op) const {
    std::vector<std::string> names;
    if (const auto list = lists_.find(op); list != lists_.end())
        for (const Erased& entry : list->second) names.push_back(entry.name);
    return names;
}

std::vector<std::string> OpTable::ops() const {
    std::vector<std::string> names;
    for (const auto& [name, list] : lists_) names.push_back(name);
    return names;
}

}  // namespace polytrain
