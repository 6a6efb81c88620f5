#pragma once
// What the config tests share: a small catalog, valid configs, and the message of a failure.

#include <string>
#include <vector>

#include "config/load.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

namespace polytrain::testing {

// Names and orders like the kernels' own, without the kernels.
inline ActivationCatalog small_catalog() {
    ActivationCatalog catalog;
    const auto add = [&](const char* name, int max_order) {
        ActivationInfo info;
        info.name = name;
        info.min_order = max_order > 0 ? 1 : 0;
        info.max_order = max_order;
        catalog.add(info);
    };
    add("relu", 0);
    add("gelu", 0);
    add("silu", 0);
    add("polyrelu", 8);
    add("polynorm", 4);
    return catalog;
}

// The least that a run must be told.
inline constexpr const char* kMinimal =
    R"({"data": {"train": [{"path": "a.bin"}]}, "train": {"steps": 10}})";

inline RunConfig parse(const std::string& text) {
    return parse_config_text(text, "run.json", small_catalog());
}

// The error's message, if it has that code; else a text that no test expects.
template <class F>
std::string failure(ExitCode code, F&& run) {
    try {
        run();
    } catch (const Error& error) {
        if (error.code() == code) return error.what();
        return "(exit code " + std::to_string(static_cast<int>(error.code())) + ") " + error.what();
    }
    return "(no error)";
}

inline std::string parse_failure(const std::string& text) {
    return failure(ExitCode::kBadConfig, [&] { parse(text); });
}

// Files of a test, and load_config() on them.
class ConfigFolder {
  public:
    std::string write(const std::string& name, const std::string& text) const {
        write_file_atomic(folder_ / name, text);
        return path(name);
    }
    std::string path(const std::string& name) const { return (folder_ / name).string(); }
    RunConfig load(const std::string& name, const std::vector<std::string>& overrides = {}) const {
        return load_config(folder_ / name, overrides, small_catalog());
    }
    std::string load_failure(const std::string& name, ExitCode code = ExitCode::kBadConfig,
                             const std::vector<std::string>& overrides = {}) const {
        return failure(code, [&] { load(name, overrides); });
    }

  private:
    TempFolder folder_;
};

}  // namespace polytrain::testing
