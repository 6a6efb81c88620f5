#include "data/text/document_reader.hpp"

#include <span>

#include "core/error.hpp"

namespace polytrain {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 16;

}  // namespace

DocumentReader::DocumentReader(std::vector<TextInput> inputs, std::string field, TextPosition from,
                               TextReport report)
    : inputs_(std::move(inputs)),
      field_(std::move(field)),
      position_(from),
      report_(report),
      input_(static_cast<size_t>(from.input)),
      block_(kBlockBytes, '\0') {
    PT_CHECK(input_ <= inputs_.size(), "file {} of {}", input_, inputs_.size());
    for (size_t i = 0; i < input_; ++i) finished_bytes_ += inputs_[i].bytes;
    if (input_ < inputs_.size()) open();
}

int64_t DocumentReader::file_bytes() const {
    return finished_bytes_ + (source_ ? source_->file_bytes() : 0);
}

void DocumentReader::open() {
    const TextInput& input = inputs_[input_];
    const auto index = static_cast<int64_t>(input_);
    const TextPosition from = position_.input == index ? position_ : TextPosition{index, 0, 1};
    source_ = std::make_unique<ByteSource>(input.path, input.compression);
    source_->skip(from.offset);
    if (input.format == TextFormat::kJsonl)
        parser_ =
            std::make_unique<JsonlParser>(input.path.string(), field_, from.offset, from.line);
}

void DocumentReader::close() {
    finished_bytes_ += inputs_[input_].bytes;
    source_.reset();
    parser_.reset();
    ++input_;
}

bool DocumentReader::next(TextPart& part) {
    for (;;) {
        if (text_given_ < batch_.text.size() || lines_given_ < batch_.lines.size()) {
            if (give_line(part)) return true;
        } else if (source_) {
            if (parser_ ? read_lines() : read_plain(part)) return true;
        } else if (input_ < inputs_.size()) {
            open();
        } else {
            return false;
        }
    }
}

bool DocumentReader::read_plain(TextPart& part) {
    const size_t size = source_->read(block_);
    part = {std::string_view(block_).substr(0, size), !in_document_, size == 0};
    if (size > 0) return in_document_ = true;
    const bool had_text = in_document_;
    if (!had_text) ++report_.empty_documents;
    in_document_ = false;
    close();
    position_ = {static_cast<int64_t>(input_), 0, 1};
    return had_text;
}

bool DocumentReader::read_lines() {
    batch_.text.clear();
    batch_.lines.clear();
    text_given_ = lines_given_ = 0;
    batch_input_ = static_cast<int64_t>(input_);
    const size_t size = source_->read(block_);
    if (size > 0) {
        parser_->parse(std::string_view(block_).substr(0, size), batch_);
    } else {
        parser_->finish(batch_);
        close();
    }
    return false;
}

bool DocumentReader::give_line(TextPart& part) {
    const bool ends = lines_given_ < batch_.lines.size();
    const size_t text_end = ends ? batch_.lines[lines_given_].text_end : batch_.text.size();
    part = {std::string_view(batch_.text).substr(text_given_, text_end - text_given_),
            !in_document_, ends};
    text_given_ = text_end;
    if (ends) {
        const JsonlLine& line = batch_.lines[lines_given_++];
        position_ = {batch_input_, line.end_offset, line.number + 1};
        report_.lone_surrogates += line.lone_surrogates;
        if (part.begins && part.text.empty()) {
            ++report_.empty_documents;
            return false;
        }
    }
    in_document_ = !ends;
    return true;
}

}  // namespace polytrain
