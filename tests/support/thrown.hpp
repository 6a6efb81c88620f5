#pragma once

#include <string>
#include <utility>

#include "core/error.hpp"

namespace polytrain::testing {

// What a call threw: kDone and no message where it returned.
struct Thrown {
    ExitCode code = ExitCode::kDone;
    std::string message;
    bool says(const std::string& text) const { return message.find(text) != std::string::npos; }
};

template <class Call>
Thrown thrown_by(Call&& call) {
    try {
        std::forward<Call>(call)();
        return {};
    } catch (const Error& error) {
        return {error.code(), error.what()};
    }
}

}  // namespace polytrain::testing
