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

const Tokenizer& DataTokenizer::get_for(int64_t vocab_size) const {
    if (get().vocab_size() > vocab_size)
        fail(ExitCode::kBadConfig,
             "{} has a vocabulary of {}, larger than the model's of {}: it is not the model's "
             "tokenizer",
             name_, get().vocab_size(), vocab_size);
    return get();
}

}  // namespace polytrain
