#include "cuda_emulator/capture.hpp"

#include <algorithm>

namespace polytrain::emulator {
namespace {

void merge(Capture::Progress& to, const Capture::Progress& from) {
    for (const auto& [stream, count] : from) to[stream] = std::max(to[stream], count);
}

}  // namespace

void Capture::add(StreamQueue* stream, std::function<void()> work) {
    graph_.work.push_back(std::move(work));
    ++seen_[stream][stream];
}
void Capture::record(StreamQueue* stream, Event& event) {
    recorded_[&event] = seen_[stream];
}
void Capture::wait(StreamQueue* stream, Event& event) {
    // To have joined is itself something that the first stream must wait for.
    if (!seen_.contains(stream)) seen_[stream][stream] = 1;
    merge(seen_[stream], recorded_[&event]);
}
bool Capture::is_joined() const {
    const Progress& known = seen_.at(origin_);
    return std::all_of(seen_.begin(), seen_.end(), [&](const auto& one) {
        if (one.first == origin_) return true;
        const auto found = known.find(one.first);
        return found != known.end() && found->second == one.second.at(one.first);
    });
}
std::vector<StreamQueue*> Capture::streams() const {
    std::vector<StreamQueue*> all;
    for (const auto& [stream, progress] : seen_) all.push_back(stream);
    return all;
}

std::vector<Event*> Capture::events() const {
    std::vector<Event*> all;
    for (const auto& [event, progress] : recorded_) all.push_back(event);
    return all;
}

}  // namespace polytrain::emulator
