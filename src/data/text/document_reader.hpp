#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/text/byte_source.hpp"
#include "data/text/jsonl_parser.hpp"
#include "data/text/text_inputs.hpp"

namespace polytrain {

// A piece of a document. A document that is one part both begins and ends with it.
struct TextPart {
    std::string_view text;  // until the next call; empty perhaps in a part that ends a document
    bool begins = false, ends = false;
};

// A place between two documents.
struct TextPosition {
    int64_t input = 0;   // index of the file
    int64_t offset = 0;  // in its text, decompressed
    int64_t line = 1;    // of JSON lines

    bool operator==(const TextPosition&) const = default;
};

struct TextReport {
    int64_t empty_documents = 0;  // left out: no text at all
    int64_t lone_surrogates = 0;  // half a pair of \u escapes, read as U+FFFD

    bool operator==(const TextReport&) const = default;
};

// The documents of files, in parts of bounded size whatever their length. Documents without any
// text are left out and counted. A damaged file or line: exit 65 with the place.
//
//     DocumentReader reader(find_text_inputs(paths).files, "text");
//     for (TextPart part; reader.next(part);) encoder.encode(part.text, part.ends, ids);
class DocumentReader {
  public:
    // `field` is the key of JSON lines whose string is the document.
    DocumentReader(std::vector<TextInput> inputs, std::string field, TextPosition from = {},
                   TextReport report = {});

    // The next part; false after the last.
    bool next(TextPart& part);

    // Of what was given out so far: the place after the last whole document, and what was counted
    // up to it.
    const TextPosition& position() const { return position_; }
    const TextReport& report() const { return report_; }
    // Bytes of the files, as they are on the disk, read so far.
    int64_t file_bytes() const;

  private:
    void open();
    void close();
    // These set `part` and return true, or have come nearer to one.
    bool read_plain(TextPart& part);
    bool read_lines();
    bool give_line(TextPart& part);

    std::vector<TextInput> inputs_;
    std::string field_;
    TextPosition position_;
    TextReport report_;
    size_t input_ = 0;            // the file that is read
    int64_t finished_bytes_ = 0;  // of the files before it
    std::unique_ptr<ByteSource> source_;
    std::unique_ptr<JsonlParser> parser_;
    std::string block_;
    bool in_document_ = false;
    // What the last block of JSON lines gave, of which file, and how much of it was given out.
    JsonlText batch_;
    int64_t batch_input_ = 0;
    size_t text_given_ = 0, lines_given_ = 0;
};

}  // namespace polytrain
