#include "data/prepare.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/log.hpp"
#include "core/thread_pool.hpp"
#include "data/prepare/checks.hpp"
#include "data/prepare/document_cutter.hpp"
#include "data/prepare/partial_folder.hpp"
#include "data/prepare/partial_tokens.hpp"
#include "data/prepare/rounds.hpp"

namespace polytrain {
namespace {

class Preparation {
  public:
    Preparation(const PrepareOptions& options, const Tokenizer& tokenizer,
                std::vector<TextInput> inputs)
        : options_(options),
          tokenizer_(tokenizer),
          inputs_(std::move(inputs)),
          folder_(options.out),
          pool_(options.threads) {
        journal_.settings = prepare_settings(inputs_, tokenizer, options.field, options.validation);
    }

    PrepareResult run();

  private:
    bool go_on();
    void encode_all();
    void encode(DocumentReader& reader, const std::function<bool(TextPart&)>& next);
    void append(const Round& round);
    void keep_place(const Round& round);
    void show_progress(int64_t file_bytes);
    void split();

    const PrepareOptions& options_;
    const Tokenizer& tokenizer_;
    std::vector<TextInput> inputs_;
    PartialFolder folder_;
    ThreadPool pool_;
    PrepareJournal journal_;  // what is true of tokens_
    std::optional<PartialTokens> tokens_;
    bool keeps_place_ = true;
    PrepareProgress progress_;
    Stopwatch since_start_, since_journal_;
};

PrepareResult Preparation::run() {
    if (!go_on()) {
        folder_.clear();
        tokens_.emplace(folder_, tokenizer_);
    }
    if (!journal_.publishing) {
        encode_all();
        check_unchanged(inputs_);
        split();
    }
    const PrepareCounts& counts = journal_.counts;
    const bool held_out = options_.validation > 0;
    folder_.publish(
        static_cast<uint64_t>(journal_.train_tokens * token_bytes_of(tokenizer_.vocab_size())),
        held_out, !tokenizer_.file_text().empty());
    return {journal_.train_documents,
            journal_.train_tokens,
            counts.documents - journal_.train_documents,
            counts.tokens - journal_.train_tokens,
            counts,
            since_start_.seconds()};
}

// Takes up what a killed prepare left, if that is of this one.
bool Preparation::go_on() {
    try {
        const std::optional<PrepareJournal> found = read_journal(folder_.journal());
        if (!found) return false;
        const std::string changed = changed_settings(found->settings, journal_.settings);
        const PrepareCounts& counts = found->counts;
        if (!changed.empty()) {
            log::info("{}: of an unfinished prepare, but {} changed: starting anew",
                      folder_.journal().string(), changed);
            return false;
        }
        if (found->publishing
                ? !folder_.has_results()
                : !PartialTokens::holds(folder_, tokenizer_, counts.documents, counts.tokens)) {
            log::warn("{}: the files beside it are not what it says: starting anew",
                      folder_.journal().string());
            return false;
        }
        journal_ = *found;
    } catch (const Error& error) {
        log::warn("{}; starting anew", error.what());
        return false;
    }
    const PrepareCounts& counts = journal_.counts;
    log::info("going on after {} documents, {} tokens", counts.documents, counts.tokens);
    if (!journal_.publishing) tokens_.emplace(folder_, tokenizer_, counts.documents, counts.tokens);
    return true;
}

void Preparation::encode_all() {
    const bool splits = options_.validation > 0;
    const auto reader = [&](const TextPosition& from = {}, const TextReport& report = {}) {
        return DocumentReader(inputs_, options_.field, from, report);
    };
    if (inputs_.size() > 1 || inputs_[0].format == TextFormat::kJsonl || !splits) {
        DocumentReader documents = reader(journal_.position, journal_.counts.text);
        encode(documents, [&](TextPart& part) { return documents.next(part); });
        if (journal_.counts.documents == 0)
            fail(ExitCode::kCorrupt, "{}: there is no text in {}", inputs_[0].path.string(),
                 inputs_.size() == 1 ? "this file" : "this file and the others");
        if (journal_.counts.documents > 1 || !splits) return;
    }
    // A single document is cut in two, at a place that takes its size.
    DocumentReader measured = reader();
    int64_t size = 0;
    for (TextPart part; measured.next(part);) size += std::ssize(part.text);
    if (size == 0) fail(ExitCode::kCorrupt, "{}: is empty", inputs_[0].path.string());
    const auto wanted = static_cast<int64_t>(static_cast<double>(size) * (1 - options_.validation));
    tokens_.reset();
    folder_.clear();
    tokens_.emplace(folder_, tokenizer_);
    journal_.counts = {};
    keeps_place_ = false;  // there is none to go on from within a document
    DocumentReader document = reader();
    DocumentCutter cutter(document, std::min(wanted, size - 1));
    encode(document, [&](TextPart& part) { return cutter.next(part); });
}

// Reading the next round, appending the one before and encoding go on at the same time, all as
// parts of one loop.
void Preparation::encode(DocumentReader& reader, const std::function<bool(TextPart&)>& next) {
    progress_ = {};
    progress_.total_file_bytes =
        std::accumulate(inputs_.begin(), inputs_.end(), int64_t{0},
                        [](int64_t sum, const TextInput& input) { return sum + input.bytes; });
    progress_.text_bytes = progress_.resumed_text_bytes = journal_.counts.text_bytes;
    progress_.file_bytes = progress_.resumed_file_bytes = reader.file_bytes();
    RoundReader rounds(reader, next, options_.threads);
    RoundEncoder encoder(tokenizer_, options_.threads);
    Round read, encoded;
    rounds.fill(read);
    bool more = true;
    while (more) {
        Round now = std::move(read);
        read = Round();
        more = !now.last;
        constexpr int64_t kOthers = 2;
        pool_.run(kOthers + std::ssize(now.works), [&](int64_t part, int thread) {
            if (part == 0) {
                if (more) rounds.fill(read);
            } else if (part == 1) {
                append(encoded);
            } else {
                encoder.encode(now.works[static_cast<size_t>(part - kOthers)], thread);
            }
        });
        encoded = std::move(now);
        show_progress(encoded.file_bytes);
    }
    append(encoded);
}

void Preparation::append(const Round& round) {
    PrepareCounts& counts = journal_.counts;
    for (const Work& work : round.works) {
        size_t begin = 0;
        bool open = work.continued;
        const auto add = [&](size_t end) {
            if (!open) tokens_->begin_document();
            tokens_->append(std::span(work.ids).subspan(begin, end - begin));
            begin = end;
            open = false;
        };
        for (const size_t end : work.id_ends) add(end);
        if (work.unfinished) add(work.ids.size());
        counts.encoded += work.report;
    }
    counts.documents = tokens_->documents();
    counts.tokens = tokens_->tokens();
    counts.text_bytes += round.text_bytes;
    counts.text = round.report;
    journal_.position = round.position;
    keep_place(round);
}

void Preparation::keep_place(const Round& round) {
    if (!keeps_place_ || round.works.empty() || !round.between_documents()) return;
    if (since_journal_.seconds() < options_.journal_seconds) return;
    tokens_->sync();
    write_journal(folder_.journal(), journal_);
    since_journal_.restart();
}

void Preparation::show_progress(int64_t file_bytes) {
    progress_.file_bytes = file_bytes;
    progress_.tokens = journal_.counts.tokens;
    progress_.text_bytes = journal_.counts.text_bytes;
    progress_.seconds = since_start_.seconds();
    if (options_.on_progress) options_.on_progress(progress_);
}

void Preparation::split() {
    const int64_t documents = journal_.counts.documents;
    int64_t held_out = 0;
    if (options_.validation > 0) {
        const auto share = std::llround(options_.validation * static_cast<double>(documents));
        held_out = std::clamp<int64_t>(share, 1, documents - 1);
    }
    journal_.train_documents = documents - held_out;
    journal_.train_tokens = tokens_->split(journal_.train_documents);
    if (const std::string text = tokenizer_.file_text(); !text.empty())
        write_file_atomic(folder_ / "tokenizer.json", text);
    journal_.publishing = true;
    write_journal(folder_.journal(), journal_);
}

}  // namespace

PrepareResult prepare(const PrepareOptions& options, const Tokenizer& tokenizer) {
    std::vector<TextInput> inputs = check_prepare(options, tokenizer);
    Preparation preparation(options, tokenizer, std::move(inputs));
    try {
        return preparation.run();
    } catch (const Error&) {
        if (std::filesystem::exists(options.out / kPartialFolder / kJournalName))
            log::info("{}: what is done is kept; the same command goes on from there",
                      (options.out / kPartialFolder).string());
        throw;
    }
}

void for_each_part(const std::vector<std::filesystem::path>& inputs, const std::string& field,
                   const std::function<void(std::string_view, bool)>& use) {
    DocumentReader reader(find_text_inputs(inputs).files, field);
    for (TextPart part; reader.next(part);) use(part.text, part.ends);
}

}  // namespace polytrain
