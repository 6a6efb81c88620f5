#pragma once

#include <chrono>
#include <string>
#include <thread>

#include "data/tokenizer.hpp"

namespace polytrain::testing {

// Each token is two bytes of a document, the last perhaps one, after a token that begins it: ids
// tell when a document's parts did not go to one encoder in their order, or when an encoder kept
// something of another document. It reports zero bytes as invalid. `delay_us` slows it down, for
// each 64 KiB.
class PairTokenizer final : public Tokenizer {
  public:
    explicit PairTokenizer(int delay_us = 0, std::string file_text = {})
        : delay_us_(delay_us), file_text_(std::move(file_text)) {}
    std::string_view name() const override { return "pairs"; }
    int64_t vocab_size() const override { return 65536 + 258; }
    std::string fingerprint() const override { return "pairs " + file_text_; }
    std::optional<int32_t> separator() const override { return 65536 + 256; }
    std::string file_text() const override { return file_text_; }
    std::unique_ptr<Encoder> make_encoder() const override {
        return std::make_unique<PairEncoder>(delay_us_);
    }
    std::string decode(std::span<const int32_t> ids) const override {
        std::string text;
        for (const int32_t id : ids) {
            if (id == 65536 + 257) text.clear();
            if (id < 65536) text += static_cast<char>(id >> 8);
            if (id < 65536 + 256) text += static_cast<char>(id);
        }
        return text;
    }

  private:
    class PairEncoder final : public Encoder {
      public:
        explicit PairEncoder(int delay_us) : delay_us_(delay_us) {}
        void encode(std::string_view part, bool last, std::vector<int32_t>& ids) override {
            if (delay_us_ > 0)
                std::this_thread::sleep_for(std::chrono::microseconds(
                    delay_us_ * static_cast<int64_t>(part.size()) / 65536));
            if (!begun_) ids.push_back(65536 + 257);
            begun_ = !last;
            for (const char c : part) {
                const int byte = static_cast<uint8_t>(c);
                report_.invalid_bytes += byte == 0;
                if (first_ < 0) {
                    first_ = byte;
                } else {
                    ids.push_back(first_ << 8 | byte);
                    first_ = -1;
                }
            }
            if (last && first_ >= 0) ids.push_back(65536 + first_);
            if (last) first_ = -1;
        }

      private:
        int delay_us_, first_ = -1;
        bool begun_ = false;
    };

    int delay_us_;
    std::string file_text_;
};

}  // namespace polytrain::testing
