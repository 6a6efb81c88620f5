#include "core/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace polytrain::log {
namespace {

spdlog::logger& logger() {
    static spdlog::logger instance = [] {
        spdlog::logger made("polytrain", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
        made.set_pattern("%^%v%$");
        return made;
    }();
    return instance;
}

std::atomic<int>& own_rank() {
    static std::atomic<int> rank{-1};
    return rank;
}

std::string prefix() {
    const int rank = own_rank();
    return rank < 0 ? "" : fmt::format("[rank {}] ", rank);
}

}  // namespace

void set_rank(int rank) {
    own_rank() = rank;
}

bool is_first() {
    return own_rank() <= 0;
}

void info_line(const std::string& line) {
    if (is_first()) logger().info(line);
}
void warn_line(const std::string& line) {
    logger().warn("{}warning: {}", prefix(), line);
}
void error_line(const std::string& line) {
    logger().error("{}error: {}", prefix(), line);
}

}  // namespace polytrain::log
