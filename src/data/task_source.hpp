#pragma once

#include <cstdint>
#include <string>

namespace polytrain {

// A file of questions with answers to choose from, and how they are asked (docs/evaluation.md).
struct TaskSource {
    std::string name = {};         // empty: told by the file
    std::string path = {};         // of questions, or of a folder of request files
    std::string dialect = "auto";  // "auto", "harness", "olmo"
    int64_t shots = 0;             // questions with their answers that go before each
    std::string examples = {};     // the file that these come from
    int64_t limit = 0;             // questions, the first ones; 0: all
    bool operator==(const TaskSource&) const = default;
};

}  // namespace polytrain
