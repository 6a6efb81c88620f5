#include "train/ranks.hpp"

#include <unistd.h>

#include <array>
#include <random>
#include <utility>

#include "config/load.hpp"
#include "core/file.hpp"
#include "core/hash.hpp"
#include "tensor/host.hpp"

namespace polytrain {
namespace {

std::string host_name() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}

// What the running program is, byte for byte.
std::string program_hash() {
    const MappedFile file("/proc/self/exe");
    return content_hash(file.bytes().data(), file.bytes().size());
}

// The first rank whose text is not rank 0's; 0: there is none.
size_t first_other(const std::vector<std::string>& texts) {
    for (size_t rank = 1; rank < texts.size(); ++rank)
        if (texts[rank] != texts[0]) return rank;
    return 0;
}

}  // namespace

void check_same_program(Communicator& all, const RunConfig& config,
                        const ActivationCatalog& catalog) {
    if (all.size() == 1) return;
    const std::string version = fmt::format("{} ({})", POLYTRAIN_VERSION, program_hash());
    const auto versions = gather_texts(all, version, "program versions");
    if (const size_t rank = first_other(versions); rank != 0)
        fail(
            ExitCode::kBadConfig,
            "rank {} is another program than rank 0: {}, and {} there; start the same build on all "
            "machines",
            rank, versions[rank], versions[0]);
    const auto configs = gather_texts(all, emit_config(config, catalog), "configs");
    const size_t rank = first_other(configs);
    if (rank == 0) return;
    const auto of = [&](size_t i) {
        return parse_config_text(configs[i], fmt::format("config of rank {}", i), catalog);
    };
    const auto differences = config_differences(of(0), of(rank), catalog);
    fail(ExitCode::kBadConfig, "rank {} has another config than rank 0: {}", rank,
         differences.empty() ? "their texts differ" : differences[0]);
}

void check_same_data(Communicator& all, const std::string& fingerprint) {
    const auto texts = gather_texts(all, fingerprint, "data fingerprints");
    if (const size_t rank = first_other(texts); rank != 0)
        fail(ExitCode::kBadConfig,
             "rank {} reads other training data than rank 0: fingerprint {}, and {} there; all "
             "machines must have the same token files",
             rank, texts[rank], texts[0]);
}

void check_shared_folder(const Grid& grid, const std::filesystem::path& folder) {
    if (grid.layout().ranks == 1) return;
    std::string nonce;
    if (grid.layout().rank == 0) {
        std::random_device random;
        nonce = fmt::format("ranks.tmp-{:08x}{:08x}", random(), random());
        write_file_atomic(folder / nonce, nonce);
    }
    nonce = gather_texts(grid.all(), nonce, "nonce of the run folder")[0];
    const bool seen = std::filesystem::exists(folder / nonce);
    const auto hosts =
        gather_texts(grid.all(), seen ? std::string() : host_name(), "who sees the run folder");
    if (grid.layout().rank == 0) std::filesystem::remove(folder / nonce);
    std::string blind;
    for (size_t rank = 0; rank < hosts.size(); ++rank)
        if (!hosts[rank].empty())
            blind += fmt::format("{}rank {} on {}", blind.empty() ? "" : ", ", rank, hosts[rank]);
    if (!blind.empty())
        fail(ExitCode::kCannotWrite,
             "{}: {} can't see what rank 0 writes there; name a folder on a file system that all "
             "machines share",
             folder.string(), blind);
}

int64_t highest(const Grid& grid, int64_t number, const char* label) {
    std::vector<int64_t> one{number};
    grid.all().all_reduce(host_view(one), Reduce::kMax, label).wait();
    return one[0];
}

void add_up(const Grid& grid, std::vector<int64_t>& numbers, const char* label) {
    grid.all().all_reduce(host_view(numbers), Reduce::kSum, label).wait();
}

}  // namespace polytrain
