#include "train/tensorboard.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>

#include "core/crc32c.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"

namespace polytrain {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";

// The least of protocol buffers: fields of a message, one after the other.
class Message {
  public:
    void integer(int field, uint64_t value) {
        key(field, 0);
        varint(value);
    }
    void real64(int field, double value) {
        key(field, 1);
        little_endian(std::bit_cast<uint64_t>(value), 8);
    }
    void real32(int field, float value) {
        key(field, 5);
        little_endian(std::bit_cast<uint32_t>(value), 4);
    }
    void text(int field, std::string_view value) {
        key(field, 2);
        varint(value.size());
        bytes_ += value;
    }
    void message(int field, const Message& value) { text(field, value.bytes_); }
    void little_endian(uint64_t value, int bytes) {
        for (int i = 0; i < bytes; ++i, value >>= 8) bytes_ += static_cast<char>(value & 0xff);
    }
    void append(std::string_view bytes) { bytes_ += bytes; }
    const std::string& bytes() const { return bytes_; }

  private:
    void key(int field, int wire_type) { varint(static_cast<uint64_t>(field << 3 | wire_type)); }
    void varint(uint64_t value) {
        for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
        bytes_ += static_cast<char>(value);
    }

    std::string bytes_;
};

// The CRC as TFRecord files hold it: turned and shifted, since they may hold CRCs as data.
uint32_t masked_crc(std::string_view bytes) {
    return std::rotr(crc32c(bytes), 15) + 0xa282ead8;
}

// TFRecord: length, its CRC, the data, their CRC.
std::string record_of(const Message& event) {
    Message record;
    record.little_endian(event.bytes().size(), 8);
    record.little_endian(masked_crc(record.bytes()), 4);
    record.append(event.bytes());
    record.little_endian(masked_crc(event.bytes()), 4);
    return record.bytes();
}

double wall_time() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// Event: wall_time 1, step 2, file_version 3, summary 5, session_log 7.
Message event_at(int64_t step) {
    Message event;
    event.real64(1, wall_time());
    if (step > 0) event.integer(2, static_cast<uint64_t>(step));
    return event;
}

std::string version_record() {
    Message event = event_at(0);
    event.text(3, "brain.Event:2");
    return record_of(event);
}

// Points of this step and later ones that other files hold are void.
std::string session_start_record(int64_t first_step) {
    Message log;
    log.integer(1, 1);  // SessionLog.status = START
    Message event = event_at(first_step);
    event.message(7, log);
    return record_of(event);
}

void add_scalar(Message& summary, std::string_view tag, double value) {
    Message scalar;  // Summary.Value: tag 1, simple_value 2
    scalar.text(1, tag);
    scalar.real32(2, static_cast<float>(value));
    summary.message(1, scalar);
}

// "coefficients/layers.3/a" for "layers.3.feed_forward.coefficients".
std::string coefficient_tag(std::string_view parameter) {
    constexpr std::string_view kUsual = ".feed_forward.coefficients";
    if (parameter.ends_with(kUsual)) parameter.remove_suffix(kUsual.size());
    return fmt::format("coefficients/{}/a", parameter);
}

Message summary_of(const StepMetrics& metrics) {
    Message summary;
    add_scalar(summary, "loss", metrics.loss);
    add_scalar(summary, "grad_norm", metrics.grad_norm);
    add_scalar(summary, "lr", metrics.lr);
    add_scalar(summary, "tokens_per_s", metrics.tokens_per_s);
    add_scalar(summary, "mfu", metrics.mfu);
    if (!metrics.loads.empty()) {
        add_scalar(summary, "balance_loss", metrics.balance_loss);
        add_scalar(summary, "router_z_loss", metrics.router_z_loss);
    }
    for (size_t layer = 0; layer < metrics.loads.size(); ++layer) {
        add_scalar(summary, fmt::format("highest_load/layers.{}", layer),
                   metrics.loads[layer].highest());
        add_scalar(summary, fmt::format("entropy/layers.{}", layer), metrics.loads[layer].entropy);
    }
    for (const auto& [name, loss] : metrics.validation) add_scalar(summary, "val/" + name, loss);
    for (const TaskResult& task : metrics.tasks)
        for (const MetricMean& mean : task.metrics)
            add_scalar(summary,
                       fmt::format("tasks/{}/{}", task.name, name_of(mean.metric, task.dialect)),
                       mean.mean);
    for (const auto& [name, values] : metrics.coefficients)
        for (size_t k = 0; k < values.size(); ++k)
            add_scalar(summary, fmt::format("{}{}", coefficient_tag(name), k), values[k]);
    return summary;
}

// Readers take a folder's files in the order of their names: this one's must be the last.
fs::path new_event_file(const fs::path& folder) {
    auto seconds = static_cast<int64_t>(wall_time());
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(kPrefix)) continue;
        int64_t other = 0;
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), other);
        seconds = std::max(seconds, other + 1);
    }
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host = {"host"};
    return folder / fmt::format("{}{:010}.{}.{}.0", kPrefix, seconds, host.data(), ::getpid());
}

}  // namespace

TensorBoard::TensorBoard(fs::path folder, int64_t last_step) : folder_(std::move(folder)) {
    try {
        make_folders(folder_);
        out_ = std::make_unique<AppendFile>(new_event_file(folder_));
        if (!out_->append(version_record() + session_start_record(last_step + 1))) {
            warn_once(errno_text(errno));
            out_.reset();  // without its beginning the file is none
        }
    } catch (const std::exception& error) {
        warn_once(error.what());
    }
}

void TensorBoard::append(const StepMetrics& metrics) {
    if (!out_) return;
    Message event = event_at(metrics.step);
    event.message(5, summary_of(metrics));
    if (!out_->append(record_of(event))) warn_once(errno_text(errno));
}

void TensorBoard::warn_once(const std::string& reason) {
    if (!std::exchange(warned_, true))
        log::warn("{}: cannot write: {}; training goes on, TensorBoard will miss steps",
                  folder_.string(), reason);
}

}  // namespace polytrain
