#include "eval/evaluate.hpp"

#include <cmath>

#include "core/philox.hpp"
#include "data/foreign_files.hpp"
#include "data/prepare.hpp"
#include "data/tokenizer/train_tokenizer.hpp"
#include "eval/byte_count.hpp"
#include "support/damage.hpp"
#include "support/random.hpp"
#include "support/text_files.hpp"
#include "support/thrown.hpp"
#include "support/whole_logits.hpp"
#include "train/tiny_run.hpp"

using namespace polytrain;
using namespace polytrain::testing;
namespace fs = std::filesystem;

namespace {

// A loss that every id, target and place changes.
double hashed_loss(const HostBatch& batch) {
    double sum = 0;
    for (size_t i = 0; i < batch.targets.size(); ++i) {
        if (batch.targets[i] == kNotScored) continue;
        const auto words = philox({1, 2}, static_cast<uint64_t>(batch.ids[i]) << 32 |
                                              static_cast<uint64_t>(batch.targets[i]));
        sum += uniform_from(words[0], words[1]) * static_cast<double>(1 + i % 5);
    }
    return sum;
}

// Text of words and characters of two to four bytes.
std::string random_text(Random& random, int64_t words) {
    const char* parts[] = {"the ",         "quick ", "br\xc3\xb6wn ",
                           "\xe2\x82\xac", "fox\n",  " \xf0\x9f\x98\x80"};
    std::string text;
    for (int64_t i = 0; i < words; ++i) text += parts[random.integer(0, 5)];
    return text;
}

struct Texts {
    TempFolder folder;
    std::string all;  // of the documents

    Texts() {
        Random random("texts");
        std::string lines;
        for (int i = 0; i < 12; ++i) {
            const std::string text = random_text(random, random.integer(1, 60));
            all += text;
            lines += nlohmann::json{{"body", text}}.dump() + "\n";
        }
        spit(folder / "texts.jsonl.gz", gzip(lines));
        spit(folder / "one.txt", all);
    }
    std::string trained(TokenizerFamily family, int64_t vocab_size) {
        TokenizerTraining training;
        training.inputs = {folder / "one.txt"};
        training.family = family;
        training.vocab_size = vocab_size;
        const fs::path path = folder / fmt::format("tokenizer-{}.json", vocab_size);
        spit(path, train_tokenizer(training));
        return path.string();
    }
};

EvalModel fake_model(const DataTokenizer* tokenizer, int64_t vocab_size = 100000) {
    return {7, vocab_size, 3, tokenizer, hashed_loss};
}

}  // namespace

TEST_CASE_METHOD(Texts, "evaluate: a text has the loss and the bytes of its token file") {
    const std::string names[] = {"bytes", trained(TokenizerFamily::kByteLevel, 280),
                                 trained(TokenizerFamily::kLlama, 300)};
    for (const std::string& name : names) {
        INFO(name);
        const DataTokenizer tokenizer(name);
        PrepareOptions options;
        options.inputs = {folder / "texts.jsonl.gz"};
        options.field = "body";
        options.validation = 0;
        options.out = folder / ("tokens-" + std::to_string(tokenizer.get().vocab_size()));
        const PrepareResult prepared = prepare(options, tokenizer.get());
        const EvalModel model = fake_model(&tokenizer);
        const EvalResult text =
            evaluate({.path = folder / "texts.jsonl.gz", .field = "body"}, model);
        const EvalResult tokens = evaluate({.path = options.out / "train.bin"}, model);
        CHECK(text.tokens == prepared.train_tokens);
        CHECK(tokens.tokens == prepared.train_tokens);
        CHECK(text.scored == text.tokens - 1);
        CHECK(text.loss == tokens.loss);
        CHECK(text.bytes == std::ssize(all));
        CHECK(tokens.bytes == std::ssize(all));
        CHECK(text.perplexity == Approx(std::exp(text.loss)));
        CHECK(text.bits_per_byte.value() ==
              Approx(text.loss * static_cast<double>(text.scored) / std::log(2.0) /
                     static_cast<double>(all.size())));
        CHECK(tokens.bits_per_byte == text.bits_per_byte);
    }
}

TEST_CASE_METHOD(Texts,
                 "evaluate: a folder of texts, and a token file that doesn't tell its kind") {
    const DataTokenizer tokenizer("bytes");
    fs::create_directories(folder / "more");
    fs::copy(folder / "one.txt", folder.path() / "more/one.txt");
    spit(folder.path() / "more/two.txt", "and the end");
    const EvalResult folder_of_texts = evaluate({folder / "more"}, fake_model(&tokenizer));
    CHECK(folder_of_texts.tokens == std::ssize(all) + 11);

    std::vector<int> ids;
    for (const char c : all + "and the end") ids.push_back(static_cast<unsigned char>(c));
    spit(folder / "ids.bin", packed<uint32_t>(ids));
    const EvalData raw{.path = folder / "ids.bin", .format = "raw", .dtype = "uint32"};
    CHECK(evaluate(raw, fake_model(&tokenizer)).loss == folder_of_texts.loss);
    const EvalResult bare = evaluate(raw, fake_model(nullptr));
    CHECK(bare.loss == folder_of_texts.loss);
    CHECK(!bare.bytes);
    CHECK(!bare.bits_per_byte);
    CHECK(bare.why_no_bytes == "the model has no tokenizer");
    // A model's vocabulary may be larger than the tokenizer's.
    ids[3] = 256;
    spit(folder / "ids.bin", packed<uint32_t>(ids));
    CHECK(!evaluate(raw, fake_model(&tokenizer)).bytes);
}

TEST_CASE_METHOD(Texts, "evaluate: bad inputs are named, with what is wrong") {
    const DataTokenizer tokenizer("bytes");
    const auto thrown = [&](const fs::path& path, const std::string& format = "auto",
                            int64_t vocab_size = 256) {
        return thrown_by([&] {
            evaluate({.path = path, .format = format}, fake_model(&tokenizer, vocab_size));
        });
    };
    CHECK(thrown(folder / "none.txt").code == ExitCode::kInputMissing);
    CHECK(thrown(folder / "none.npy").code == ExitCode::kInputMissing);
    spit(folder / "empty.txt", "");
    CHECK(thrown(folder / "empty.txt").code == ExitCode::kCorrupt);
    CHECK(thrown(folder / "empty.txt").says("no text"));
    spit(folder / "one-token.txt", "x");
    CHECK(thrown(folder / "one-token.txt").code == ExitCode::kCorrupt);
    CHECK(thrown(folder / "one-token.txt").says("too few"));
    spit(folder / "empty.npy", "");
    CHECK(thrown(folder / "empty.npy").code == ExitCode::kCorrupt);
    spit(folder / "one.npy", packed<uint16_t>(std::vector{7}));
    CHECK(thrown(folder / "one.npy").code == ExitCode::kCorrupt);
    CHECK(thrown(folder / "one.npy").says("too few"));
    spit(folder / "high.npy", packed<uint16_t>(std::vector{7, 9, 256, 1}));
    CHECK(thrown(folder / "high.npy").code == ExitCode::kCorrupt);
    CHECK(thrown(folder / "high.npy").says("256"));
    spit(folder / "odd.bin", "12345");
    CHECK(thrown(folder / "odd.bin").code == ExitCode::kBadConfig);
    CHECK(thrown(folder / "one.txt", "auto", 200).code == ExitCode::kBadConfig);
    CHECK(thrown_by([&] { evaluate({folder / "one.txt"}, fake_model(nullptr)); }).code ==
          ExitCode::kUsage);
    EvalModel broken = fake_model(&tokenizer);
    broken.loss_sum = [](const HostBatch&) { return std::nan(""); };
    CHECK(thrown_by([&] { evaluate({folder / "one.txt"}, broken); }).code == ExitCode::kNumerics);
}

TEST_CASE_METHOD(Texts, "byte count: as decoding all at once, wherever the stream is cut") {
    Random random("byte count");
    for (const auto family : {TokenizerFamily::kByteLevel, TokenizerFamily::kLlama}) {
        const auto tokenizer =
            make_tokenizer(trained(family, family == TokenizerFamily::kLlama ? 320 : 290));
        std::vector<int32_t> ids;
        int64_t wanted = 0;
        for (int document = 0; document < 4; ++document) {
            const std::vector<int32_t> own = tokenizer->encode(random_text(random, 20));
            wanted += std::ssize(tokenizer->decode(own));
            ids.insert(ids.end(), own.begin(), own.end());
            ids.push_back(tokenizer->separator().value());
        }
        for (int trial = 0; trial < 20; ++trial) {
            ByteCount count(*tokenizer);
            for (size_t at = 0; at < ids.size();) {
                const size_t part = std::min(ids.size() - at, size_t(random.integer(0, 9)));
                count.add(std::span(ids).subspan(at, part));
                at += part;
            }
            CHECK(count.bytes() == wanted);
        }
    }
}

TEST_CASE("evaluate: a model's loss is that of its logits, and the trainer's validation loss") {
    const TempFolder folder;
    RunConfig config = tiny_config();
    config.model.context = 8;
    config.model.vocab_size = 256;
    config.data.synthetic = false;
    config.train.steps = 3;
    config.train.eval_sequences = 0;
    config.optimizer.schedule.warmup_steps = 1;
    Random random("evaluated");
    std::vector<int64_t> ids;
    for (int i = 0; i < 11 * 8 + 1; ++i) ids.push_back(random.integer(0, 40));
    spit(folder / "whole.npy", packed<uint16_t>(ids));
    config.data.train = {{folder / "whole.npy"}};
    config.data.validation = {{"whole", folder / "whole.npy"}};
    train_with(config, folder / "run", 2);
    const Checkpoint checkpoint = Checkpoint::open(folder.path() / "run/checkpoints/step-3");
    const Machine machine(2);
    const DataTokenizer tokenizer("bytes");
    const auto loss_of = [&](const fs::path& path, int64_t sequences) {
        const InferenceSession session(config, *machine.backend, machine.ops, checkpoint,
                                       sequences);
        return evaluate({path}, {8, 256, sequences, &tokenizer,
                                 [&](const HostBatch& batch) { return session.loss_sum(batch); }});
    };
    // The same windows in the same batches: the same bits.
    const double trainers = metrics_of(folder / "run")[2]["val_loss"];
    CHECK(loss_of(folder / "whole.npy", config.train.micro_batch).loss == trainers);
    CHECK(loss_of(folder / "whole.npy", config.train.micro_batch).loss == trainers);
    CHECK(loss_of(folder / "whole.npy", 5).loss == Approx(trainers).epsilon(1e-6));

    ids.resize(30);  // three windows and a part of one
    spit(folder / "part.npy", packed<uint16_t>(ids));
    const InferenceSession session(config, *machine.backend, machine.ops, checkpoint);
    double sum = 0;
    for (size_t i = 1; i < ids.size(); ++i) {
        const auto begin = ids.begin() + static_cast<std::ptrdiff_t>((i - 1) / 8 * 8);
        const std::vector<float> logits =
            whole_logits(session, {begin, ids.begin() + static_cast<std::ptrdiff_t>(i)});
        double exponentials = 0;
        for (const float logit : logits) exponentials += std::exp(static_cast<double>(logit));
        sum += std::log(exponentials) - static_cast<double>(logits[static_cast<size_t>(ids[i])]);
    }
    const EvalResult part = loss_of(folder / "part.npy", 2);
    CHECK(part.scored == 29);
    CHECK(part.loss == Approx(sum / 29).epsilon(1e-5));
}
