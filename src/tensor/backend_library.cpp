#include "tensor/backend_library.hpp"

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace polytrain {
namespace {

constexpr const char* kFile = "libpolytrain_cuda.so";

std::filesystem::path library_path() {
    if (const char* path = std::getenv("POLYTRAIN_CUDA_LIBRARY"); path != nullptr) return path;
    std::error_code ignored;
    const auto folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
    for (const auto& path : {folder / kFile, folder / ".." / "lib" / kFile})
        if (std::filesystem::exists(path, ignored)) return path;
    return {};
}

}  // namespace

std::unique_ptr<Backend> open_cuda_backend(int local_rank, std::string& why) {
    const std::filesystem::path path = library_path();
    if (path.empty()) {
        why = fmt::format("this build has no {} (docs/cuda.md)", kFile);
        return nullptr;
    }
    // It stays open: what it made may outlive the backend.
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        why = ::dlerror();
        return nullptr;
    }
    auto* entry = reinterpret_cast<BackendEntry*>(::dlsym(library, "polytrain_cuda_backend"));
    if (entry == nullptr) {
        why = fmt::format("{} has no polytrain_cuda_backend", path.string());
        return nullptr;
    }
    std::array<char, 512> reason{};
    std::unique_ptr<Backend> backend(
        entry(kBackendVersion, local_rank, reason.data(), reason.size()));
    if (!backend) why = reason.data();
    return backend;
}

}  // namespace polytrain
