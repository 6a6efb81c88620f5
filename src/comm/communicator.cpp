#include "comm/communicator.hpp"

#include <numeric>

namespace polytrain {

std::vector<Range> ranges_of(std::span<const int64_t> offsets) {
    std::vector<Range> ranges;
    for (size_t i = 0; i + 1 < offsets.size(); ++i) ranges.push_back({offsets[i], offsets[i + 1]});
    return ranges;
}

std::vector<std::string> gather_texts(Communicator& group, const std::string& text,
                                      std::string_view label) {
    const auto ranks = static_cast<size_t>(group.size()), own = static_cast<size_t>(group.rank());
    std::vector<int64_t> lengths(ranks), offsets(ranks + 1);
    lengths[own] = static_cast<int64_t>(text.size());
    for (size_t i = 0; i <= ranks; ++i) offsets[i] = static_cast<int64_t>(i * sizeof(int64_t));
    group.all_gather(lengths.data(), offsets, label).wait();

    offsets[0] = 0;
    std::partial_sum(lengths.begin(), lengths.end(), offsets.begin() + 1);
    std::string all(static_cast<size_t>(offsets.back()), '\0');
    text.copy(all.data() + offsets[own], text.size());
    group.all_gather(all.data(), offsets, label).wait();

    std::vector<std::string> texts;
    for (size_t i = 0; i < ranks; ++i)
        texts.push_back(
            all.substr(static_cast<size_t>(offsets[i]), static_cast<size_t>(lengths[i])));
    return texts;
}

void barrier(Communicator& group, std::string_view label) {
    int64_t zero = 0;
    group.all_reduce({&zero, Shape{1}, DType::kI64, {}}, Reduce::kMax, label).wait();
}

}  // namespace polytrain
