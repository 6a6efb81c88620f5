#include "data/tokenizer.hpp"
#include "support/catch.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

TEST_CASE("the byte tokenizer gives each byte as it is, and back") {
    const auto tokenizer = make_tokenizer("bytes");
    std::string text;
    for (int byte = 255; byte >= 0; --byte) text += static_cast<char>(byte);
    const std::vector<int32_t> ids = tokenizer->encode(text);
    REQUIRE(ids.size() == 256);
    CHECK(ids.front() == 255);
    CHECK(ids.back() == 0);
    CHECK(tokenizer->decode(ids) == text);
    CHECK(tokenizer->vocab_size() == 256);
    CHECK(tokenizer->name() == "bytes");
    CHECK(!tokenizer->separator());
    CHECK(tokenizer->encode("").empty());
    CHECK(thrown_by([&] { tokenizer->decode(std::vector{256}); }).code == ExitCode::kInternal);
}

TEST_CASE("an unknown tokenizer is a config error that names those there are") {
    const Thrown thrown = thrown_by([] { make_tokenizer("byte"); });
    CHECK(thrown.code == ExitCode::kBadConfig);
    CHECK(thrown.says("\"byte\""));
    CHECK(thrown.says("\"bytes\""));
}
