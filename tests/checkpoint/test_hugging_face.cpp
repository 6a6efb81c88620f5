#include <algorithm>
#include <cmath>

#include "checkpoint/hugging_face.hpp"
#include "data/tokenizer.hpp"
#include "support/catch.hpp"
#include "support/thrown.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

// What a model is after its export and import: how it was trained is left out.
ModelConfig as_exported(ModelConfig config) {
    const ModelConfig plain;
    const MoeConfig moe;
    const double std = config.init.std;
    config.init = plain.init;
    config.init.std = std;
    config.z_loss = plain.z_loss;
    config.moe.balance = moe.balance;
    config.moe.z_loss = moe.z_loss;
    config.moe.loss_form = moe.loss_form;
    if (config.moe.experts > 0) config.feed_forward.hidden = config.moe.hidden;
    const std::string base(ActivationCatalog::gated_form(config.feed_forward.activation));
    if (!base.empty()) config.feed_forward.activation = base;
    return config;
}

std::vector<ModelConfig> all_models() {
    std::vector<ModelConfig> all = small_models_and_mixtures();
    for (const bool is_mixture : {false, true}) {
        ModelConfig stock = stock_model(is_mixture);
        all.push_back(stock);
        stock.tied = true;
        stock.feed_forward.activation = "gelu_tanh";
        stock.moe.renormalise = is_mixture;
        all.push_back(stock);
    }
    return all;
}

struct Folder {
    TempFolder temp;
    fs::path hub = temp / "hub", run = temp / "run";

    fs::path weights() const { return hub / "model.safetensors"; }
    fs::path step() const { return run / "checkpoints/step-0"; }
    template <class F>
    void change_config(F&& f) const {
        nlohmann::json config = read_json(hub / "config.json");
        f(config);
        spit(hub / "config.json", config.dump());
    }
    template <class F>
    void change_tensors(F&& f) const {
        RawTensors tensors = read_raw(weights());
        f(tensors);
        write_raw(weights(), tensors);
    }
    Thrown import(const std::string& activation = "") const {
        return thrown_by([&] { import_from(hub, run, activation); });
    }
};

constexpr const char* kGate0 = "model.layers.0.mlp.gate_proj.weight";

}  // namespace

TEST_CASE("hugging face: every model comes back bit for bit, in one file and in shards") {
    Random random("hugging face");
    size_t number = 0, stock = 0;
    for (const ModelConfig& config : all_models()) {
        for (const bool router_bias : {false, true}) {
            if (router_bias && config.moe.experts == 0) continue;
            const SavedModel saved(config, random, router_bias);
            for (const int64_t shard_bytes : {int64_t{1} << 40, int64_t{900}}) {
                const Folder folder;
                INFO("model " << number << ", shards of " << shard_bytes);
                const HuggingFaceExported exported =
                    saved.export_to(folder.hub, {DType::kF32, shard_bytes, nullptr});
                CHECK((exported.files == 1) == (shard_bytes > 900));
                CHECK(fs::exists(folder.hub / kHuggingFaceIndex) == (exported.files > 1));
                const HuggingFaceModel found = import_from(folder.hub, folder.run);
                CHECK(found.model == as_exported(config));
                CHECK(found.router_bias == router_bias);
                CHECK(saved.is_in(folder.step()));
                stock += exported.stock.exists() ? 1 : 0;
            }
        }
        ++number;
    }
    // swiglu of small_models and the four stock models, once each in one file and in shards.
    CHECK(stock == 10);
}

TEST_CASE("hugging face: shards hold no more than they may, and the index is their sum") {
    Random random("shards");
    const SavedModel saved(stock_model(true), random);
    const Folder folder;
    constexpr int64_t kMost = 2000;
    const HuggingFaceExported exported =
        saved.export_to(folder.hub, {DType::kBf16, kMost, nullptr});
    REQUIRE(exported.files > 3);
    const nlohmann::json index = read_json(folder.hub / kHuggingFaceIndex);
    CHECK(index["metadata"]["total_size"] == exported.bytes);
    CHECK(std::ssize(index["weight_map"]) == exported.tensors);
    int64_t bytes = 0;
    for (int64_t i = 1; i <= exported.files; ++i) {
        const SafetensorsFile file(
            folder.hub / fmt::format("model-{:05}-of-{:05}.safetensors", i, exported.files));
        CHECK(file.metadata().at("format") == "pt");
        int64_t own = 0;
        for (const auto& [name, entry] : file.tensors()) {
            CHECK(entry.dtype == DType::kBf16);
            own += static_cast<int64_t>(entry.end - entry.begin);
        }
        CHECK(own <= kMost);
        bytes += own;
    }
    CHECK(bytes == exported.bytes);
}

TEST_CASE("hugging face: config.json is that of transformers' classes") {
    Random random("config");
    for (const bool is_mixture : {false, true}) {
        const SavedModel saved(stock_model(is_mixture), random);
        const Folder folder;
        CHECK(saved.export_to(folder.hub).stock.name ==
              (is_mixture ? "OlmoeForCausalLM" : "LlamaForCausalLM"));
        nlohmann::json expected = nlohmann::json::parse(R"({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
            "hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 9,
            "vocab_size": 23, "rms_norm_eps": 0.001, "rope_theta": 500.0,
            "tie_word_embeddings": false, "attention_bias": false, "initializer_range": 0.4,
            "bos_token_id": null, "eos_token_id": null, "pad_token_id": null,
            "torch_dtype": "float32"})");
        if (is_mixture)
            expected.update(nlohmann::json::parse(R"({
                "architectures": ["OlmoeForCausalLM"], "model_type": "olmoe",
                "intermediate_size": 10, "num_experts": 6, "num_experts_per_tok": 2,
                "norm_topk_prob": false, "clip_qkv": null})"));
        CHECK(read_json(folder.hub / "config.json") == expected);
        CHECK(read_json(folder.hub / "generation_config.json")["eos_token_id"] == nullptr);
    }
}

TEST_CASE("hugging face: tensors have Llama's and OLMoE's names and shapes; a tied head has none") {
    const auto shapes = [](const ModelConfig& config) {
        const Transformer model(config, catalog());
        std::map<std::string, std::string> all;
        for (const auto& tensor : hugging_face_tensors(config, model.parameters(), false))
            all[tensor.name] = tensor.shape.text();
        return all;
    };
    ModelConfig llama = stock_model(false);
    llama.layers = 1;
    const std::map<std::string, std::string> attention{
        {"model.embed_tokens.weight", "[23, 16]"},
        {"model.layers.0.input_layernorm.weight", "[16]"},
        {"model.layers.0.self_attn.q_proj.weight", "[16, 16]"},
        {"model.layers.0.self_attn.k_proj.weight", "[8, 16]"},
        {"model.layers.0.self_attn.v_proj.weight", "[8, 16]"},
        {"model.layers.0.self_attn.o_proj.weight", "[16, 16]"},
        {"model.layers.0.post_attention_layernorm.weight", "[16]"},
        {"model.norm.weight", "[16]"},
        {"lm_head.weight", "[23, 16]"}};
    std::map<std::string, std::string> expected = attention;
    expected[kGate0] = expected["model.layers.0.mlp.up_proj.weight"] = "[12, 16]";
    expected["model.layers.0.mlp.down_proj.weight"] = "[16, 12]";
    CHECK(shapes(llama) == expected);
    llama.tied = true;
    expected.erase("lm_head.weight");
    CHECK(shapes(llama) == expected);

    ModelConfig olmoe = stock_model(true);
    olmoe.layers = 1;
    expected = attention;
    expected["model.layers.0.self_attn.q_norm.weight"] = "[16]";
    expected["model.layers.0.self_attn.k_norm.weight"] = "[8]";
    expected["model.layers.0.mlp.gate.weight"] = "[6, 16]";
    for (int e = 0; e < 6; ++e) {
        const std::string expert = fmt::format("model.layers.0.mlp.experts.{}.", e);
        expected[expert + "gate_proj.weight"] = expected[expert + "up_proj.weight"] = "[10, 16]";
        expected[expert + "down_proj.weight"] = "[16, 10]";
    }
    CHECK(shapes(olmoe) == expected);
}

TEST_CASE("hugging face: bf16 is the nearest, and bf16 and f16 are read exactly") {
    Random random("narrow");
    const SavedModel saved(stock_model(false), random);
    const Folder folder;
    saved.export_to(folder.hub, {DType::kBf16, int64_t{1} << 40, nullptr});
    CHECK(read_json(folder.hub / "config.json")["torch_dtype"] == "bfloat16");
    const auto check = [&](const auto& expected) {
        REQUIRE(folder.import().code == ExitCode::kDone);
        const Checkpoint imported = Checkpoint::open(folder.step());
        for (const auto& tensor : hugging_face_tensors(saved.config(), saved.parameters(), false)) {
            std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
            imported.read(tensor.parameter, tensor.whole, tensor.begin,
                          {values.data(), {std::ssize(values)}, DType::kF32, {}});
            CHECK(values == expected(tensor));
        }
        fs::remove_all(folder.run);
    };
    check([&](const HuggingFaceTensor& tensor) {
        std::vector<float> rounded(static_cast<size_t>(tensor.shape.elements()));
        saved.checkpoint().read(tensor.parameter, tensor.whole, tensor.begin,
                                {rounded.data(), {std::ssize(rounded)}, DType::kF32, {}});
        for (float& value : rounded) value = static_cast<float>(Bf16(value));
        return rounded;
    });
    std::map<std::string, std::vector<float>> halves;
    folder.change_tensors([&](RawTensors& tensors) {
        for (auto& [name, tensor] : tensors) {
            tensor.dtype = DType::kI16;
            tensor.is_half = true;
            for (size_t i = 0; i < tensor.bytes.size(); i += 2) {
                const auto bits = static_cast<uint16_t>(random.integer(0, 0xffff) & ~0x4000);
                std::memcpy(&tensor.bytes[i], &bits, 2);
                const int exponent = bits >> 10 & 15, fraction = bits & 1023;
                const double size = exponent == 0 ? std::ldexp(fraction, -24)
                                                  : std::ldexp(1024 + fraction, exponent - 25);
                halves[name].push_back(static_cast<float>((bits & 0x8000) != 0 ? -size : size));
            }
        }
    });
    check([&](const HuggingFaceTensor& tensor) { return halves.at(tensor.name); });
}

TEST_CASE("hugging face: the released PolyReLU and PolyNorm, with coefficients the other way") {
    Random random("released");
    for (const char* activation : {"polyrelu", "polynorm"}) {
        ModelConfig config = small_models()[0];
        config.feed_forward.activation = activation;
        const SavedModel saved(config, random);
        const Folder folder;
        saved.export_to(folder.hub);
        folder.change_config([](nlohmann::json& json) {
            json["model_type"] = "polyllama";
            json["architectures"] = {"PolyLlamaForCausalLM"};
            json["hidden_act"] = "custom";
            json.erase("polytrain");
        });
        folder.change_tensors([](RawTensors& tensors) {
            for (int layer = 0; layer < 2; ++layer) {
                const std::string at = fmt::format("model.layers.{}.mlp.act_fn.", layer);
                const std::string a = tensors.at(at + "coefficients").bytes;
                tensors.erase(at + "coefficients");
                tensors[at + "bias"] = {DType::kF32, {1}, a.substr(0, 4)};
                tensors[at + "weight"] = {
                    DType::kF32, {3}, a.substr(12, 4) + a.substr(8, 4) + a.substr(4, 4)};
            }
        });
        CHECK(folder.import("polyprelu").code == ExitCode::kBadConfig);
        const Thrown unknown = folder.import();
        CHECK(unknown.code == ExitCode::kBadConfig);
        CHECK(unknown.says("--activation"));
        CHECK(import_from(folder.hub, folder.run, activation).model == as_exported(config));
        CHECK(saved.is_in(folder.step()));
        // As the config may have it after all.
        fs::remove_all(folder.run);
        folder.change_config([&](nlohmann::json& json) {
            json["hidden_act"] = activation == std::string("polynorm") ? "PolyNorm" : "PolyReLU";
        });
        CHECK(folder.import().code == ExitCode::kDone);
        CHECK(saved.is_in(folder.step()));

        fs::remove_all(folder.run);
        folder.change_tensors(
            [](RawTensors& tensors) { tensors.erase("model.layers.1.mlp.act_fn.bias"); });
        const Thrown missing = folder.import();
        CHECK(missing.code == ExitCode::kCorrupt);
        CHECK(missing.says("model.layers.1.mlp."));
    }
}

TEST_CASE("hugging face: no tensor is missing, left over or of another shape") {
    Random random("tensors");
    const SavedModel saved(stock_model(false), random);
    const auto import_with = [&](const auto& change) {
        const Folder folder;
        saved.export_to(folder.hub);
        folder.change_tensors(change);
        const Thrown thrown = folder.import();
        CHECK(fs::exists(folder.run) == (thrown.code == ExitCode::kDone));
        return thrown;
    };
    const Thrown missing = import_with([](RawTensors& tensors) {
        tensors.erase(kGate0);
        tensors.erase("lm_head.weight");
    });
    CHECK(missing.code == ExitCode::kCorrupt);
    CHECK(missing.says(fmt::format("missing: lm_head.weight, {}; of no use: none", kGate0)));
    const Thrown extra = import_with([](RawTensors& tensors) {
        tensors["model.layers.0.self_attn.q_proj.bias"] = {DType::kF32, {1}, "1234"};
    });
    CHECK(extra.code == ExitCode::kCorrupt);
    CHECK(extra.says("of no use: model.layers.0.self_attn.q_proj.bias"));
    const Thrown shape = import_with([](RawTensors& tensors) {
        tensors.at(kGate0).shape = {16, 12};
    });
    CHECK(shape.code == ExitCode::kCorrupt);
    CHECK(shape.says(fmt::format("\"{}\" is [16, 12], but by config.json it is [12, 16]", kGate0)));
    CHECK(shape.says("model.safetensors: "));
    const Thrown integers =
        import_with([](RawTensors& tensors) { tensors.at(kGate0).dtype = DType::kI32; });
    CHECK(integers.code == ExitCode::kCorrupt);
    CHECK(integers.says(kGate0));
}

TEST_CASE("hugging face: a layer's rotary table may be there if it is what the config makes") {
    Random random("rotary");
    const SavedModel saved(stock_model(false), random);  // heads of 4, theta 500, 2 layers
    const auto import_with = [&](int layer, const std::vector<float>& table) {
        const Folder folder;
        saved.export_to(folder.hub);
        folder.change_tensors([&](RawTensors& tensors) {
            const std::string bytes(reinterpret_cast<const char*>(table.data()),
                                    table.size() * sizeof(float));
            tensors[fmt::format("model.layers.{}.self_attn.rotary_emb.inv_freq", layer)] = {
                DType::kF32, {std::ssize(table)}, bytes};
        });
        const Thrown thrown = folder.import();
        CHECK((thrown.code == ExitCode::kDone || thrown.says("rotary_emb.inv_freq")));
        return thrown.code;
    };
    const auto second = static_cast<float>(1 / std::sqrt(500.0));
    CHECK(import_with(0, {1, second}) == ExitCode::kDone);
    CHECK(import_with(1, {1, second * 1.0005F}) == ExitCode::kDone);
    CHECK(import_with(1, {1, second * 1.002F}) == ExitCode::kCorrupt);
    CHECK(import_with(1, {1, 0.01F}) == ExitCode::kCorrupt);  // of theta 10000
    CHECK(import_with(1, {NAN, second}) == ExitCode::kCorrupt);
    CHECK(import_with(1, {1}) == ExitCode::kCorrupt);
    CHECK(import_with(1, {1, second, second}) == ExitCode::kCorrupt);
    CHECK(import_with(2, {1, second}) == ExitCode::kCorrupt);
}

TEST_CASE("hugging face: a tied head may be there if it is the embedding") {
    Random random("tied");
    ModelConfig config = stock_model(false);
    config.tied = true;
    const SavedModel saved(config, random);
    for (const bool same : {true, false}) {
        const Folder folder;
        saved.export_to(folder.hub);
        folder.change_tensors([&](RawTensors& tensors) {
            RawTensor& head = tensors["lm_head.weight"] = tensors.at("model.embed_tokens.weight");
            if (!same) head.bytes.back() ^= 1;
        });
        CHECK(folder.import().code == (same ? ExitCode::kDone : ExitCode::kCorrupt));
        if (same) CHECK(saved.is_in(folder.step()));
    }
}

TEST_CASE("hugging face: what config.json asks for and PolyTrain has not is refused by its key") {
    Random random("foreign");
    const SavedModel saved(stock_model(false), random);
    const Folder folder;
    saved.export_to(folder.hub);
    const nlohmann::json whole = read_json(folder.hub / "config.json");
    const auto refused = [&](const char* key, const nlohmann::json& value) {
        INFO(key << ": " << value);
        folder.change_config([&](nlohmann::json& config) {
            config = whole;
            config[key] = value;
        });
        const Thrown thrown = folder.import();
        CHECK(thrown.says(fmt::format("config.json: \"{}\"", key)));
        CHECK(!fs::exists(folder.run));
        return thrown.code == ExitCode::kBadConfig;
    };
    CHECK(refused("model_type", "gpt2"));
    CHECK(refused("model_type", nullptr));
    CHECK(refused("attention_bias", true));
    CHECK(refused("mlp_bias", true));
    CHECK(refused("clip_qkv", 8));
    CHECK(refused("head_dim", 8));
    CHECK(refused("hidden_act", "gelu_fast"));
    CHECK(refused("rope_scaling", {{"type", "linear"}, {"factor", 2}}));
    CHECK(refused("rope_parameters", {{"rope_type", "yarn"}}));
    CHECK(refused("rope_scaling", {{"rope_type", "default"}, {"type", "linear"}}));
    CHECK(refused("quantization_config", nlohmann::json::object()));
    CHECK(refused("partial_rotary_factor", 0.5));
    CHECK(refused("hidden_size", -4));
    CHECK(refused("hidden_size", 16.0));
    CHECK(refused("hidden_size", nullptr));
    CHECK(refused("vocab_size", "23"));
    CHECK(refused("rms_norm_eps", "small"));
    CHECK(refused("tie_word_embeddings", 1));

    for (const char* name : {"factor", "partial_rotary_factor", "full_attention"}) {
        folder.change_config([&](nlohmann::json& config) {
            config = whole;
            config["rope_parameters"] = {{"rope_type", "default"}, {name, 1.0}};
        });
        const Thrown thrown = folder.import();
        CHECK(thrown.code == ExitCode::kBadConfig);
        CHECK(thrown.says(fmt::format("\"rope_parameters.{}\"", name)));
    }

    // Ways to say what is the default.
    folder.change_config([&](nlohmann::json& config) {
        config = whole;
        config.erase("rope_theta");
        config["rope_parameters"] = {
            {"rope_type", "default"}, {"type", nullptr}, {"rope_theta", 500}, {"factor", nullptr}};
        config["rope_scaling"] = nullptr;
        config["head_dim"] = 4;
    });
    CHECK(import_from(folder.hub, folder.run).model == as_exported(saved.config()));
}

TEST_CASE("hugging face: files that are damaged, missing, or not those of the index") {
    Random random("files");
    const SavedModel saved(stock_model(false), random);
    {
        const Folder folder;
        CHECK(folder.import().code == ExitCode::kInputMissing);
        saved.export_to(folder.hub);
        CHECK(thrown_by([&] { saved.export_to(folder.hub); }).code == ExitCode::kCannotWrite);
        const std::string whole = slurp(folder.weights());
        for (const size_t size : {size_t{0}, size_t{4}, size_t{100}, whole.size() - 1}) {
            spit(folder.weights(), whole.substr(0, size));
            const Thrown thrown = folder.import();
            CHECK(thrown.code == ExitCode::kCorrupt);
            CHECK(thrown.says("model.safetensors"));
        }
        fs::remove(folder.weights());
        CHECK(folder.import().code == ExitCode::kInputMissing);
        CHECK(std::distance(fs::directory_iterator(folder.temp.path()), {}) == 1);
    }
    const Folder folder;
    saved.export_to(folder.hub, {DType::kF32, 2000, nullptr});
    const fs::path path = folder.hub / kHuggingFaceIndex;
    const nlohmann::json whole = read_json(path);
    const auto refused = [&](const auto& change) {
        nlohmann::json index = whole;
        change(index["weight_map"]);
        spit(path, index.dump());
        const Thrown thrown = folder.import();
        CHECK(thrown.says(path.string()));
        return thrown.code == ExitCode::kCorrupt;
    };
    CHECK(refused([](nlohmann::json& map) { map.erase(kGate0); }));
    CHECK(refused([](nlohmann::json& map) { map["more"] = map[kGate0]; }));
    CHECK(refused([](nlohmann::json& map) { map[kGate0] = map["lm_head.weight"]; }));
    CHECK(
        refused([](nlohmann::json& map) { map[kGate0] = "../" + map[kGate0].get<std::string>(); }));
    CHECK(refused([](nlohmann::json& map) { map[kGate0] = 3; }));
    CHECK(refused([](nlohmann::json& map) { map = 3; }));
    spit(path, whole.dump());
    CHECK(folder.import().code == ExitCode::kDone);
    CHECK(saved.is_in(folder.step()));
}
