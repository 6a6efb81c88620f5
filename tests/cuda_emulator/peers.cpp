#include "cuda_emulator/peers.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "cuda_emulator/execution.hpp"

namespace polytrain::emulator {
namespace {

constexpr int kPatience = 6000;  // times 10 ms

sockaddr_un address_of(const std::string& folder, int rank) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder + "/" + std::to_string(rank);
    if (path.size() >= sizeof address.sun_path) die("NCCL: a path too long for a socket");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

int joined_to(const std::string& folder, int peer, int own) {
    const sockaddr_un address = address_of(folder, peer);
    for (int i = 0; i < kPatience; ++i, ::usleep(10000)) {
        const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            if (::write(socket, &own, sizeof own) != sizeof own) die("NCCL: a socket closed");
            return socket;
        }
        ::close(socket);
    }
    die("NCCL: rank %d waited a minute for rank %d", own, peer);
}

}  // namespace

std::string Peers::make_folder() {
    char folder[] = "/tmp/polytrain-nccl-XXXXXX";
    if (::mkdtemp(folder) == nullptr) die("NCCL: no folder in /tmp");
    return folder;
}

Peers::Peers(const std::string& folder, int ranks, int rank)
    : rank_(rank), sockets_(static_cast<size_t>(ranks), -1) {
    const sockaddr_un own = address_of(folder, rank);
    const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listening, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        ::listen(listening, ranks) != 0)
        die("NCCL: no socket in %s", folder.c_str());
    for (int peer = 0; peer < rank; ++peer)
        sockets_[static_cast<size_t>(peer)] = joined_to(folder, peer, rank);
    for (int i = rank + 1; i < ranks; ++i) {
        const int socket = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
        int peer = -1;
        if (socket < 0 || ::read(socket, &peer, sizeof peer) != sizeof peer || peer <= rank ||
            peer >= ranks)
            die("NCCL: a peer that isn't one");
        sockets_[static_cast<size_t>(peer)] = socket;
    }
    for (const int socket : sockets_)
        if (socket >= 0) ::fcntl(socket, F_SETFL, O_NONBLOCK);
    ::close(listening);
    ::unlink(own.sun_path);
    // The last to leave removes it.
    (void)::rmdir(folder.c_str());
}

Peers::~Peers() {
    for (const int socket : sockets_)
        if (socket >= 0) ::close(socket);
}

int64_t Peers::send(int peer, const void* data, size_t bytes) const {
    const ssize_t sent =
        ::send(sockets_[static_cast<size_t>(peer)], data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
}
int64_t Peers::receive(int peer, void* data, size_t bytes) const {
    const ssize_t got = ::recv(sockets_[static_cast<size_t>(peer)], data, bytes, MSG_DONTWAIT);
    if (got == 0 && bytes > 0) return -1;
    return got >= 0 ? got : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

}  // namespace polytrain::emulator
