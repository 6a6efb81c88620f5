#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace polytrain {

// One step of a tokenizer's normalizer, on valid UTF-8.
class NormalizerStep {
  public:
    NormalizerStep() = default;
    virtual ~NormalizerStep() = default;
    NormalizerStep(const NormalizerStep&) = delete;
    NormalizerStep& operator=(const NormalizerStep&) = delete;

    // Whether it leaves `text` as it is.
    virtual bool is_identity(std::string_view text, bool begins) const = 0;
    // The normalized text. `begins`: `text` is the start of what is normalized in one go, not the
    // continuation of it. `forced_cuts` counts places at which it isn't what the standard says.
    virtual std::string apply(std::string_view text, bool begins, int64_t& forced_cuts) const = 0;
    // How many bytes of `text`, which may go on, can be normalized by themselves.
    virtual size_t settled(std::string_view text) const = 0;
    // Whether each character is normalized alone.
    virtual bool by_character() const = 0;
};

// Unicode normalization form C.
std::unique_ptr<NormalizerStep> make_nfc();
// Puts `prefix` before text that isn't empty.
std::unique_ptr<NormalizerStep> make_prepend(std::string prefix);
// Replaces `from`, not empty, by `to`.
std::unique_ptr<NormalizerStep> make_replace(std::string from, std::string to);

// The steps of a tokenizer.json, in order.
class Normalizer {
  public:
    void add(std::unique_ptr<NormalizerStep> step);

    // The normalized `text`: in `buffer` where it differs, else `text` itself.
    std::string_view apply(std::string_view text, bool begins, std::string& buffer,
                           int64_t& forced_cuts) const;
    // How many bytes of `text`, which may go on, can be normalized by themselves.
    size_t settled(std::string_view text) const;

  private:
    std::vector<std::unique_ptr<NormalizerStep>> steps_;
    bool by_characters_ = true;  // all steps after the first do
};

}  // namespace polytrain
