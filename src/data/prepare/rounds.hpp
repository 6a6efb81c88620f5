#pragma once
// Documents into rounds of work for threads, and the work itself. How a round is cut changes no
// id: a document is encoded by one encoder from its beginning to its end.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/text/document_reader.hpp"
#include "data/tokenizer.hpp"

namespace polytrain {

// Documents for one thread: whole ones, but for the first, which may go on from the round before,
// and the last, which may go on in the round after.
struct Work {
    std::string text;
    std::vector<size_t> ends;  // where documents end in `text`
    bool continued = false;    // the first began in the round before
    bool unfinished = false;   // what follows the last end goes on in the round after
    // What encoding it gave.
    std::vector<int32_t> ids;
    std::vector<size_t> id_ends;  // where documents end in `ids`, their separators included
    EncodeReport report;
};

struct Round {
    std::vector<Work> works;
    bool last = false;  // no document is left
    // When all of it is done: the place after the last whole document, what was counted up to
    // there, and what was read.
    TextPosition position;
    TextReport report;
    int64_t text_bytes = 0;  // in this round
    int64_t file_bytes = 0;  // since the first
    // Whether `position` is the end of the round.
    bool between_documents() const { return works.empty() || !works.back().unfinished; }
};

// Fills rounds that keep `threads` threads busy.
class RoundReader {
  public:
    // `next` gives parts of the documents of `reader`.
    RoundReader(const DocumentReader& reader, std::function<bool(TextPart&)> next, int threads);

    void fill(Round& round);

  private:
    bool full(const Round& round) const;

    const DocumentReader& reader_;
    std::function<bool(TextPart&)> next_;
    size_t threads_;
    bool in_document_ = false;
};

// The encoders of all threads, which keep their caches from round to round.
class RoundEncoder {
  public:
    RoundEncoder(const Tokenizer& tokenizer, int threads);

    // Encodes one work of a round. Works of a round may be encoded at the same time, each `thread`
    // one after the other, and rounds in their order.
    void encode(Work& work, int thread);

  private:
    const Tokenizer& tokenizer_;
    std::optional<int32_t> separator_;
    std::vector<std::unique_ptr<Encoder>> encoders_;  // one for each thread
    // For a document that goes on from round to round; its later rounds hold nothing else.
    std::unique_ptr<Encoder> carried_;
};

}  // namespace polytrain
