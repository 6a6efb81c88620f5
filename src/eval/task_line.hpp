#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace polytrain {

// A line of a task's JSON lines: an object, whose keys are asked for by path ("choices.text"). What
// is missing or of another type: exit 65 with the file, the line, the key and what there is.
class TaskLine {
  public:
    // Parses it strictly; `where` is "file:line".
    TaskLine(std::string_view text, std::string where);

    const std::string& where() const { return where_; }
    bool has(std::string_view path) const { return find(path) != nullptr; }

    const std::string& text(std::string_view path) const;
    std::vector<std::string> texts(std::string_view path) const;  // of an array
    // A whole number, perhaps written as a text.
    int64_t whole(std::string_view path) const;
    bool truth(std::string_view path) const;
    // The index in the texts at `labels` of the text at `path`: of "3" also where the labels are
    // letters, and of "C" where they are numbers.
    int64_t labelled(std::string_view path, std::string_view labels) const;
    // The first of these keys that is there, as text; "" where none is.
    std::string id(std::initializer_list<std::string_view> keys) const;

    template <class... Args>
    [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
        fail(ExitCode::kCorrupt, "{}: {}", where_,
             fmt::format(format, std::forward<Args>(args)...));
    }

  private:
    const nlohmann::json* find(std::string_view path) const;
    const nlohmann::json& at(std::string_view path) const;

    std::string where_;
    nlohmann::json object_;
};

}  // namespace polytrain
