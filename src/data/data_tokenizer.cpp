#include "data/data_tokenizer.hpp"

#include <filesystem>

#include "core/error.hpp"

namespace polytrain {

DataTokenizer::DataTokenizer(const DataConfig& config) : name_(config.tokenizer) {
    if (name_ != "chars" || config.train.empty()) return;
    characters_ = true;
    name_ = (std::filesystem::path(config.train[0].path).parent_path() / "tokenizer.json").string();
}

const Tokenizer& DataTokenizer::get() const {
    if (!made_) {
        auto made = make_tokenizer(name_);
        if (characters_ && made->name() != "chars")
            fail(ExitCode::kBadConfig,
                 "data.tokenizer is \"chars\", but {} is another tokenizer; name it in its place",
                 name_);
        made_ = std::move(made);
    }
    return *made_;
}

}  // namespace polytrain
