#pragma once
// The logits of a restored model without a cache, for comparison.

#include "support/op_suite.hpp"
#include "train/session.hpp"

namespace polytrain::testing {

// What follows `ids`, of which there are 1 to the context. Attention is causal: what follows the
// last id changes nothing before it. The session is of one sequence of the context.
inline std::vector<float> whole_logits(const InferenceSession& session,
                                       const std::vector<int32_t>& ids) {
    const Pass pass = session.pass();
    const Tensor all = session.model().ids(pass);
    std::vector<int32_t> padded = ids;
    padded.resize(static_cast<size_t>(all.elements()));
    pass.stream.upload(all, padded.data(), all.bytes());
    const Tensor logits = session.model().logits_after(pass, std::ssize(ids) - 1);
    std::vector<float> host;
    for (int64_t i = 0; i < logits.elements(); ++i)
        host.push_back(static_cast<float>(read_element(logits, i)));
    return host;
}

}  // namespace polytrain::testing
