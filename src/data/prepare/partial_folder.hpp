#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/file_lock.hpp"
#include "data/prepare/journal.hpp"

namespace polytrain {

inline constexpr const char* kPartialFolder = "prepare.partial";
inline constexpr const char* kJournalName = "journal.json";

// OUT/prepare.partial: where a prepare writes until all is done. One process at a time has it.
class PartialFolder {
  public:
    // Makes the folder where it isn't there. Another prepare has it: exit 73.
    explicit PartialFolder(std::filesystem::path out);
    // Removes the folder unless it holds a journal to go on from.
    ~PartialFolder();
    PartialFolder(const PartialFolder&) = delete;
    PartialFolder& operator=(const PartialFolder&) = delete;

    std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
    std::filesystem::path journal() const { return folder_ / kJournalName; }
    // Removes what an earlier prepare left.
    void clear();

    // Whether publish() has train.bin and its side file to work on, or has given them their names.
    bool has_results() const;
    // Cuts train.bin to `train_bytes`, gives all finished files their names in OUT, in place of
    // older ones, and empties the folder. Where nothing is held out, an older validation.bin goes
    // too, and an older tokenizer.json where the new tokens have none. May be called again after a
    // kill, whatever it had done.
    void publish(uint64_t train_bytes, bool held_out, bool has_tokenizer_file);

  private:
    std::filesystem::path out_, folder_;
    FileLock lock_;
};

}  // namespace polytrain
