#pragma once

#include <map>
#include <string>
#include <vector>

namespace polytrain {

// A token file that `polytrain prepare` wrote, and its share of the training samples.
struct SourceConfig {
    std::string path;
    double weight = 1;  // relative to the other sources'
    bool operator==(const SourceConfig&) const = default;
};

struct DataConfig {
    std::vector<SourceConfig> train;
    std::map<std::string, std::string> validation;  // name -> token file
    std::string tokenizer = "bytes";
    bool synthetic = false;  // a built-in random token stream in place of files
    bool operator==(const DataConfig&) const = default;
};

}  // namespace polytrain
