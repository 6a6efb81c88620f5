#include "data/text/line_reader.hpp"

#include <algorithm>
#include <string_view>

#include "core/error.hpp"

namespace polytrain {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 16;
constexpr size_t kMostLineBytes = size_t{1} << 26;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

LineReader::LineReader(const std::filesystem::path& path)
    : path_(path), source_(path, compression_of(path)), block_(kBlockBytes, '\0') {}

std::string LineReader::where() const {
    return fmt::format("{}:{}", path_.string(), number_);
}

bool LineReader::next(std::string& line) {
    size_t end = rest_.find('\n', given_);
    while (end == std::string::npos && !ended_) {
        rest_.erase(0, given_);
        given_ = 0;
        if (rest_.size() > kMostLineBytes)
            fail(ExitCode::kCorrupt, "{}:{}: the line is longer than {} bytes", path_.string(),
                 number_ + 1, kMostLineBytes);
        const size_t read = source_.read(block_);
        ended_ = read == 0;
        const size_t before = rest_.size();
        rest_.append(block_, 0, read);
        end = rest_.find('\n', before);
    }
    if (end == std::string::npos) end = rest_.size();
    if (ended_ && given_ == rest_.size()) return false;
    line.assign(rest_, given_, end - given_);
    given_ = std::min(end + 1, rest_.size());
    ++number_;
    if (line.ends_with('\r')) line.pop_back();
    if (number_ == 1 && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    return true;
}

}  // namespace polytrain
