#include "core/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

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

}  // namespace

void info_line(const std::string& line) {
    logger().info(line);
}
void warn_line(const std::string& line) {
    logger().warn("warning: {}", line);
}
void error_line(const std::string& line) {
    logger().error("error: {}", line);
}

}  // namespace polytrain::log
