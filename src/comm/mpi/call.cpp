#include "comm/mpi/call.hpp"

#include <fmt/format.h>

namespace polytrain {

std::string Call::what() const {
    return agreed.empty() ? fmt::format("{} '{}'", kind, label)
                          : fmt::format("{} '{}' ({})", kind, label, agreed);
}

std::string Call::where() const {
    return fmt::format("call {} of group '{}'", sequence, group_name);
}

uint64_t Call::fingerprint() const {
    uint64_t hash = 14695981039346656037U;  // FNV-1a
    for (const char letter : what()) {
        hash ^= static_cast<unsigned char>(letter);
        hash *= 1099511628211U;
    }
    return hash;
}

}  // namespace polytrain
