#include "data/tokenizer/piece_encoder.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace polytrain {
namespace {

constexpr size_t kCacheEntries = size_t{1} << 16;
// Where scanning for the best pair takes longer than keeping a queue of pairs.
constexpr size_t kFewSymbols = 48;

}  // namespace

PieceCache::PieceCache() : entries_(kCacheEntries) {}

uint64_t PieceCache::hash_of(std::string_view piece) {
    return XXH3_64bits(piece.data(), piece.size()) | 1;  // 0 marks a free entry
}

bool PieceCache::append(std::string_view piece, uint64_t hash, std::vector<int32_t>& ids) const {
    for (size_t at = hash % kCacheEntries; entries_[at].hash != 0; at = (at + 1) % kCacheEntries) {
        const Entry& entry = entries_[at];
        if (entry.hash != hash || entry.bytes != piece.size() ||
            std::memcmp(&texts_[entry.text], piece.data(), piece.size()) != 0)
            continue;
        ids.insert(ids.end(), &ids_[entry.ids], &ids_[entry.ids] + entry.count);
        return true;
    }
    return false;
}

void PieceCache::remember(std::string_view piece, uint64_t hash, const int32_t* ids, size_t count) {
    if (used_ == kCacheEntries / 2) {  // start over: the common words are soon back
        std::fill(entries_.begin(), entries_.end(), Entry{});
        texts_.clear();
        ids_.clear();
        used_ = 0;
    }
    size_t at = hash % kCacheEntries;
    while (entries_[at].hash != 0) at = (at + 1) % kCacheEntries;
    entries_[at] = {hash, static_cast<uint32_t>(texts_.size()), static_cast<uint32_t>(ids_.size()),
                    static_cast<uint16_t>(piece.size()), static_cast<uint16_t>(count)};
    texts_ += piece;
    ids_.insert(ids_.end(), ids, ids + count);
    ++used_;
}

size_t PieceEncoder::take(std::string_view piece, bool open) {
    PT_CHECK(ids_ != nullptr && !piece.empty(), "no place for ids, or no piece");
    if (open && model_.ignores_merges()) return 0;  // it may be a token as a whole
    if (!open) {
        const int32_t whole = model_.whole(piece);
        if (whole >= 0) {
            ids_->push_back(whole);
            return piece.size();
        }
        if (piece.size() <= PieceCache::kMaxPieceBytes) {
            encode_run(piece, true);
            return piece.size();
        }
    }
    size_t done = 0;
    while (done < piece.size()) {
        const std::string_view rest = piece.substr(done);
        const size_t bytes = next_part(rest);
        if (bytes == rest.size() && open) break;
        report_.forced_cuts += bytes < rest.size() && bytes >= kMaxRunBytes ? 1 : 0;
        encode_run(rest.substr(0, bytes), false);
        done += bytes;
    }
    return done;
}

// The bytes up to a place that no merge reaches across; all, if there is none; at the length limit,
// just anywhere between characters.
size_t PieceEncoder::next_part(std::string_view piece) const {
    using Ends = BpeModel::CharacterEnds;
    Ends before = model_.character_ends(piece.data());
    bool unknown = before.kind == Ends::kUnknown;  // is pending, see BpeModel::append_symbols
    for (size_t at = before.bytes; at < piece.size();) {
        const Ends here = model_.character_ends(&piece[at]);
        if (at >= kMaxRunBytes && (!model_.byte_level() || !is_utf8_continuation(piece[at])))
            return at;
        const bool independent =
            here.kind == Ends::kKnown || (here.kind == Ends::kBytes && !unknown);
        if (independent && before.kind != Ends::kUnknown &&
            !model_.may_join(before.last, here.first))
            return at;
        if (here.kind != Ends::kBytes) unknown = here.kind == Ends::kUnknown;
        before = here;
        at += here.bytes;
    }
    return piece.size();
}

void PieceEncoder::encode_run(std::string_view run, bool is_whole_piece) {
    // With ignore_merges the ids of a piece depend on whether it stands alone.
    const bool cacheable =
        run.size() <= PieceCache::kMaxPieceBytes && (is_whole_piece || !model_.ignores_merges());
    const uint64_t hash = cacheable ? PieceCache::hash_of(run) : 0;
    if (cacheable && cache_.append(run, hash, *ids_)) return;
    symbols_.clear();
    const int64_t dropped = model_.append_symbols(run, symbols_);
    report_.dropped += dropped;
    if (symbols_.size() <= kFewSymbols)
        merge_few();
    else
        merge_many();
    ids_->insert(ids_->end(), symbols_.begin(), symbols_.end());
    if (cacheable && dropped == 0) cache_.remember(run, hash, symbols_.data(), symbols_.size());
}

void PieceEncoder::merge_few() {
    size_t count = symbols_.size();
    joints_.resize(count);
    const auto join = [&](size_t i) {
        joints_[i] = i + 1 < count ? model_.merged(symbols_[i], symbols_[i + 1])
                                   : BpeModel::Merged{BpeModel::kNoMerge, -1};
    };
    for (size_t i = 0; i < count; ++i) join(i);
    const auto erase = [&](auto& values, size_t i) {
        const auto at = values.begin() + static_cast<std::ptrdiff_t>(i);
        std::copy(at + 1, values.begin() + static_cast<std::ptrdiff_t>(count), at);
    };
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i < count; ++i)
            if (joints_[i].rank < joints_[best].rank) best = i;
        if (joints_[best].rank == BpeModel::kNoMerge) break;
        symbols_[best] = joints_[best].id;
        erase(symbols_, best + 1);
        erase(joints_, best + 1);
        --count;
        join(best);
        if (best > 0) join(best - 1);
    }
    symbols_.resize(count);
}

void PieceEncoder::merge_many() {
    const auto count = static_cast<uint32_t>(symbols_.size());
    joints_.resize(count);
    previous_.resize(count);
    next_.resize(count);
    queue_.clear();
    const auto join = [&](uint32_t i) {
        joints_[i] = next_[i] < count ? model_.merged(symbols_[i], symbols_[next_[i]])
                                      : BpeModel::Merged{BpeModel::kNoMerge, -1};
        return joints_[i].rank != BpeModel::kNoMerge;
    };
    const auto queued = [&](uint32_t i) { return uint64_t{joints_[i].rank} << 32 | i; };
    for (uint32_t i = 0; i < count; ++i) {
        previous_[i] = i - 1;
        next_[i] = i + 1;
        if (join(i)) queue_.push_back(queued(i));
    }
    const std::greater<> last;
    std::make_heap(queue_.begin(), queue_.end(), last);
    while (!queue_.empty()) {
        std::pop_heap(queue_.begin(), queue_.end(), last);
        const auto rank = static_cast<uint32_t>(queue_.back() >> 32);
        const auto i = static_cast<uint32_t>(queue_.back());
        queue_.pop_back();
        if (joints_[i].rank != rank) continue;  // one of the two has been merged otherwise
        symbols_[i] = joints_[i].id;
        const uint32_t gone = next_[i];
        joints_[gone].rank = BpeModel::kNoMerge;
        next_[i] = next_[gone];
        if (next_[i] < count) previous_[next_[i]] = i;
        const auto requeue = [&](uint32_t at) {
            if (!join(at)) return;
            queue_.push_back(queued(at));
            std::push_heap(queue_.begin(), queue_.end(), last);
        };
        requeue(i);
        if (i > 0) requeue(previous_[i]);
    }
    size_t kept = 0;
    for (uint32_t i = 0; i < count; i = next_[i]) symbols_[kept++] = symbols_[i];
    symbols_.resize(kept);
}

}  // namespace polytrain
