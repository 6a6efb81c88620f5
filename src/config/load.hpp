#pragma once
// The config of a run: from files and the command line to a RunConfig, and back to text.
//
// A RunConfig that comes from here is resolved: checked as a whole, with everything filled in that
// a config may leave to follow from other keys (kv_heads, micro_batch, hidden, gated, vocab_size).

#include <filesystem>
#include <string>
#include <vector>

#include "config/run_config.hpp"
#include "ops/activation.hpp"

namespace polytrain {

// Reads a config file, the files it extends, and the overrides of `--set` ("optimizer.lr=0.001"),
// the later of them winning. Mistakes in the config throw Error(kBadConfig) with a line for each,
// "file:line:column: key: what is wrong"; malformed overrides Error(kUsage); a missing file
// Error(kInputMissing).
RunConfig load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                      const ActivationCatalog& catalog);

// The same of the config that shrunk() (config/shrink.hpp) makes of the file's for so many ranks;
// overrides are of that one.
RunConfig load_shrunk_config(const std::filesystem::path& path,
                             const std::vector<std::string>& overrides,
                             const ActivationCatalog& catalog, int ranks);

// What a config is wanted for: to train, or to use a model that there is already, which is fine
// with nothing to train on and no end of training.
enum class ConfigUse : uint8_t { kTrain, kModel };

// The same for a config that stands alone, as emit_config() wrote it; `name` is for messages.
RunConfig parse_config_text(const std::string& text, const std::string& name,
                            const ActivationCatalog& catalog, ConfigUse use = ConfigUse::kTrain);

// The config as JSON text that parses back to the same RunConfig.
std::string emit_config(const RunConfig& config, const ActivationCatalog& catalog);

// A line for each key in which they differ: "optimizer.lr: 0.001 -> 0.002".
std::vector<std::string> config_differences(const RunConfig& a, const RunConfig& b,
                                            const ActivationCatalog& catalog);

// A JSON Schema (draft 2020-12) of config files, and the page of the docs.
std::string config_schema(const ActivationCatalog& catalog);
std::string config_markdown(const ActivationCatalog& catalog);

// What there is to know of a key or section; unknown: Error(kUsage) with the nearest name.
std::string explain_key(const std::string& key, const ActivationCatalog& catalog);

}  // namespace polytrain
