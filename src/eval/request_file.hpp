#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "eval/question.hpp"
#include "eval/task_line.hpp"
#include "eval/task_metrics.hpp"

namespace polytrain {

// Requests as OLMo's evaluations store them, a choice a line, in any order: doc_id names the
// question, idx the choice. From doc_id 1,000,000 on they are those of question doc_id - 1,000,000
// after a bare context. What is no such request, or there twice: exit 65.
class RequestReader {
  public:
    void add(const TaskLine& line);
    // The questions, in the order of their first lines. One that lacks a choice: exit 65.
    std::vector<Question> take();
    // Of the first line.
    const std::string& task_name() const { return task_name_; }

  private:
    struct Parts {
        Question question;
        std::map<int64_t, Choice> choices, bare;  // by idx
    };
    std::map<int64_t, Parts> parts_;  // by doc_id
    std::vector<int64_t> order_;
    std::string task_name_;
};

// What config.json beside a request file says; nothing where there is none.
struct RequestConfig {
    std::optional<Metric> primary = {};
    int64_t shots = 0;
};
RequestConfig read_request_config(const std::filesystem::path& requests);

}  // namespace polytrain
