#pragma once

#include <map>
#include <string>
#include <vector>

namespace polytrain {

// A token file and its share of the training samples.
struct SourceConfig {
    std::string path;
    double weight = 1;            // relative to the other sources'
    std::string format = "auto";  // "auto", "polytrain", "megatron", "npy", "llmc", "raw"
    std::string dtype = "auto";   // of files without a header: "auto", "uint16", "uint32"
    bool operator==(const SourceConfig&) const = default;
};

struct DataConfig {
    std::vector<SourceConfig> train;
    std::map<std::string, std::string> validation;  // name -> token file
    std::string tokenizer = "bytes";
    bool synthetic = false;          // a built-in random token stream in place of files
    bool repetition_filter = false;  // leave degenerate training sequences out of the loss
    bool allow_changed = false;      // resume on other training data than the checkpoint's
    bool operator==(const DataConfig&) const = default;
};

}  // namespace polytrain
