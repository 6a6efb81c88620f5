#include "comm/mpi/pinger.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "comm/mpi/requests.hpp"

namespace polytrain {
namespace {

constexpr int kQuestion = 1, kAnswer = 2;  // tags

template <size_t kSize>
void copy_text(std::array<char, kSize>& to, const std::string& text) {
    to.fill('\0');
    text.copy(to.data(), kSize - 1);
}

int64_t at_or(const std::vector<int64_t>& values, int64_t place) {
    return values.empty() ? -1 : values[static_cast<size_t>(place)];
}

// Whether a message came, and from whom.
bool arrived(MPI_Request& request, int& from) {
    int flag = 0;
    MPI_Status status;
    mpi_check(MPI_Test(&request, &flag, &status), "MPI_Test");
    from = status.MPI_SOURCE;
    return flag != 0;
}

}  // namespace

Pinger::Pinger(MPI_Comm control, const CallLog& log) : control_(control), log_(log) {
    listen_for_questions();
    listen_for_answers();
}

Pinger::~Pinger() {
    for (Message* message : {&question_, &answer_}) {
        if (message->request == MPI_REQUEST_NULL) continue;
        MPI_Cancel(&message->request);
        MPI_Wait(&message->request, MPI_STATUS_IGNORE);
    }
}

void Pinger::listen_for_questions() {
    mpi_check(MPI_Irecv(&question_.question, sizeof question_.question, MPI_BYTE, MPI_ANY_SOURCE,
                        kQuestion, control_, &question_.request),
              "MPI_Irecv");
}

void Pinger::listen_for_answers() {
    mpi_check(MPI_Irecv(&answer_.answer, sizeof answer_.answer, MPI_BYTE, MPI_ANY_SOURCE, kAnswer,
                        control_, &answer_.request),
              "MPI_Irecv");
}

Pinger::Answer Pinger::answer_to(const Question& question, int64_t step, bool waiting) const {
    Answer answer{};
    answer.group = question.group;
    answer.last = -1;
    answer.step = step;
    answer.waiting = waiting ? 1 : 0;
    if (!log_.calls().empty()) {
        const Call& last = *log_.calls().back();
        copy_text(answer.at, fmt::format("{}, {}", last.where(), last.what()));
    }
    for (auto call = log_.calls().rbegin(); call != log_.calls().rend(); ++call) {
        if ((*call)->group != question.group) continue;
        answer.last = std::max(answer.last, (*call)->sequence);
        Answer::Entered& entered = answer.calls.at(static_cast<size_t>(answer.count));
        entered.sequence = (*call)->sequence;
        entered.fingerprint = (*call)->fingerprint();
        entered.sends = at_or((*call)->sends, question.rank);
        entered.receives = at_or((*call)->receives, question.rank);
        copy_text(entered.what, (*call)->what());
        if (++answer.count == static_cast<int64_t>(answer.calls.size())) break;
    }
    return answer;
}

void Pinger::poll(double now, int64_t step, bool waiting) {
    int from = 0;
    while (arrived(question_.request, from)) {
        auto message = std::make_unique<Message>();
        message->answer = answer_to(question_.question, step, waiting);
        mpi_check(MPI_Isend(&message->answer, sizeof message->answer, MPI_BYTE, from, kAnswer,
                            control_, &message->request),
                  "MPI_Isend");
        sent_.push_back(std::move(message));
        listen_for_questions();
    }
    while (arrived(answer_.request, from)) {
        Contact& contact = contacts_[{from, static_cast<int>(answer_.answer.group)}];
        contact.asked = false;
        contact.heard_at = now;
        contact.answer = answer_.answer;
        listen_for_answers();
    }
    std::erase_if(sent_, [](const std::unique_ptr<Message>& message) {
        int ignored = 0;
        return arrived(message->request, ignored);
    });
}

void Pinger::ask(int rank, int group, int own, double now) {
    Contact& contact = contacts_[{rank, group}];
    if (contact.asked) return;
    auto message = std::make_unique<Message>();
    message->question = {group, own};
    mpi_check(MPI_Isend(&message->question, sizeof message->question, MPI_BYTE, rank, kQuestion,
                        control_, &message->request),
              "MPI_Isend");
    sent_.push_back(std::move(message));
    contact.asked = true;
    contact.asked_at = now;
}

}  // namespace polytrain
