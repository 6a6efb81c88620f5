#include "comm/mpi/requests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace polytrain {
namespace {

std::string text_of(int error) {
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(error, text.data(), &length);
    return {text.data(), static_cast<size_t>(length)};
}

char* at(void* data, int64_t byte) {
    return static_cast<char*>(data) + byte;
}

}  // namespace

void mpi_check(int result, const char* function) {
    if (result != MPI_SUCCESS) throw MpiError(fmt::format("{}: {}", function, text_of(result)));
}

int Requests::tag(int64_t bytes) const {
    constexpr int kLengthBits = 16;
    const uint64_t length =
        static_cast<uint64_t>(bytes) * 0x9E3779B97F4A7C15U >> (64 - kLengthBits);
    return static_cast<int>(((static_cast<uint64_t>(sequence_) << kLengthBits) + length) %
                            (static_cast<uint64_t>(most_tag_) + 1));
}

void Requests::add(MPI_Request request, int64_t expected, int from) {
    requests_.push_back(request);
    expected_.push_back({expected, from});
}

void Requests::send(const void* data, int64_t bytes, int to) {
    for (int64_t begin = 0; begin < bytes; begin += chunk_) {
        const int64_t part = std::min(chunk_, bytes - begin);
        MPI_Request request = MPI_REQUEST_NULL;
        mpi_check(MPI_Isend(static_cast<const char*>(data) + begin, static_cast<int>(part),
                            MPI_BYTE, to, tag(bytes), group_, &request),
                  "MPI_Isend");
        add(request);
    }
}

void Requests::receive(void* data, int64_t bytes, int from) {
    for (int64_t begin = 0; begin < bytes; begin += chunk_) {
        const int64_t part = std::min(chunk_, bytes - begin);
        MPI_Request request = MPI_REQUEST_NULL;
        mpi_check(MPI_Irecv(at(data, begin), static_cast<int>(part), MPI_BYTE, from, tag(bytes),
                            group_, &request),
                  "MPI_Irecv");
        add(request, part, from);
    }
}

void Requests::all_reduce(void* values, int64_t count, MPI_Datatype type, MPI_Op reduce) {
    constexpr int64_t kElement = 8;  // bytes of i64 and f64
    const int64_t most = std::max<int64_t>(1, chunk_ / kElement);
    for (int64_t begin = 0; begin < count; begin += most) {
        MPI_Request request = MPI_REQUEST_NULL;
        mpi_check(MPI_Iallreduce(MPI_IN_PLACE, at(values, begin * kElement),
                                 static_cast<int>(std::min(most, count - begin)), type, reduce,
                                 group_, &request),
                  "MPI_Iallreduce");
        add(request);
    }
}

void Requests::broadcast(void* data, int64_t bytes, int root) {
    for (int64_t begin = 0; begin < bytes; begin += chunk_) {
        MPI_Request request = MPI_REQUEST_NULL;
        mpi_check(MPI_Ibcast(at(data, begin), static_cast<int>(std::min(chunk_, bytes - begin)),
                             MPI_BYTE, root, group_, &request),
                  "MPI_Ibcast");
        add(request);
    }
}

bool Requests::test() {
    if (requests_.empty()) return true;
    completed_.resize(requests_.size());
    statuses_.resize(requests_.size());
    int count = 0;
    // Not MPI_Testall, which tells of an error only when all have come to an end.
    const int result = MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count,
                                    completed_.data(), statuses_.data());
    if (count == MPI_UNDEFINED) return true;
    if (result != MPI_SUCCESS && result != MPI_ERR_IN_STATUS) mpi_check(result, "MPI_Testsome");
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
        const Expected& expected = expected_[static_cast<size_t>(completed_[i])];
        if (result == MPI_ERR_IN_STATUS && statuses_[i].MPI_ERROR != MPI_SUCCESS) {
            const std::string text = text_of(statuses_[i].MPI_ERROR);
            throw MpiError(expected.bytes < 0
                               ? text
                               : fmt::format("{}: from rank {} of the group, which was to send {} "
                                             "bytes",
                                             text, expected.from, expected.bytes));
        }
        if (expected.bytes < 0) continue;
        int bytes = 0;
        mpi_check(MPI_Get_count(&statuses_[i], MPI_BYTE, &bytes), "MPI_Get_count");
        if (bytes != expected.bytes)
            throw MpiError(fmt::format("rank {} of the group sent {} bytes where {} were expected",
                                       expected.from, bytes, expected.bytes));
    }
    return std::all_of(requests_.begin(), requests_.end(),
                       [](MPI_Request request) { return request == MPI_REQUEST_NULL; });
}

}  // namespace polytrain
