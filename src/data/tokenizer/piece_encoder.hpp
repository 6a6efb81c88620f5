#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer.hpp"
#include "data/tokenizer/bpe_model.hpp"
#include "data/tokenizer/pre_tokenizer.hpp"

namespace polytrain {

// Remembers the ids of short pieces, in bounded memory: most words of a text have been seen before.
class PieceCache {
  public:
    static constexpr size_t kMaxPieceBytes = 64;

    PieceCache();
    // Appends the ids of a piece, if they are known.
    bool append(std::string_view piece, uint64_t hash, std::vector<int32_t>& ids) const;
    void remember(std::string_view piece, uint64_t hash, const int32_t* ids, size_t count);

    static uint64_t hash_of(std::string_view piece);

  private:
    struct Entry {
        uint64_t hash = 0;
        uint32_t text = 0, ids = 0;  // where they start in texts_ and ids_
        uint16_t bytes = 0, count = 0;
    };
    std::vector<Entry> entries_;
    std::string texts_;
    std::vector<int32_t> ids_;
    size_t used_ = 0;
};

// Encodes pieces by a BpeModel, for one thread.
class PieceEncoder final : public PieceSink {
  public:
    // A longer run of characters that merges might join is cut (EncodeReport::forced_cuts).
    static constexpr size_t kMaxRunBytes = size_t{1} << 20;

    PieceEncoder(const BpeModel& model, EncodeReport& report) : model_(model), report_(report) {}

    // Where ids go from now on.
    void append_to(std::vector<int32_t>& ids) { ids_ = &ids; }
    size_t take(std::string_view piece, bool open) override;

  private:
    void encode_run(std::string_view run, bool is_whole_piece);
    size_t next_part(std::string_view piece) const;
    void merge_few();
    void merge_many();

    const BpeModel& model_;
    EncodeReport& report_;
    std::vector<int32_t>* ids_ = nullptr;
    PieceCache cache_;
    std::vector<int32_t> symbols_;
    std::vector<BpeModel::Merged> joints_;  // of each symbol with the next one
    std::vector<uint32_t> previous_, next_;
    std::vector<uint64_t> queue_;
};

}  // namespace polytrain
