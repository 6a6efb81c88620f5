// Collectives against what each rank knows they must give: contents are pure functions of sender,
// receiver and place.

#include <cmath>
#include <cstring>
#include <iostream>
#include <stdexcept>

#include "comm/mpi/mpi_world.hpp"
#include "core/clock.hpp"
#include "core/philox.hpp"
#include "ranks.hpp"

namespace ranks {
namespace {

using namespace polytrain;

void require(bool condition, const std::string& what) {
    if (!condition) throw std::runtime_error("wrong: " + what);
}

Tensor vector_of(std::vector<int64_t>& values) {
    return {values.data(), Shape{static_cast<int64_t>(values.size())}, DType::kI64, {}};
}
Tensor vector_of(std::vector<double>& values) {
    return {values.data(), Shape{static_cast<int64_t>(values.size())}, DType::kF64, {}};
}

// The bytes that rank `from` sends to rank `to` in a round, at random; a third of them none.
int64_t length(uint64_t seed, int round, int from, int to, int64_t most) {
    const PhiloxKey key = philox_key(seed, "length");
    const auto place = static_cast<uint64_t>((round * 64 + from) * 64 + to);
    const auto words = philox(key, place);
    if (words[2] % 3 == 0) return 0;
    return static_cast<int64_t>(uniform_below(words, static_cast<uint64_t>(most)));
}

unsigned char content(int round, int from, int to, int64_t place) {
    return static_cast<unsigned char>(round * 31 + from * 7 + to * 101 + place * 13 + place / 251);
}

// One all_to_all: made, and compared when it is done.
class Exchange {
  public:
    Exchange(Communicator& group, uint64_t seed, int round, int64_t most)
        : group_(group), round_(round) {
        const int ranks = group.size(), own = group.rank();
        constexpr int64_t kGap = 3;  // the first offset is not 0
        send_offsets_ = receive_offsets_ = {kGap};
        for (int i = 0; i < ranks; ++i) {
            send_offsets_.push_back(send_offsets_.back() + length(seed, round, own, i, most));
            receive_offsets_.push_back(receive_offsets_.back() + length(seed, round, i, own, most));
        }
        send_.resize(static_cast<size_t>(send_offsets_.back() + kGap));
        receive_.resize(static_cast<size_t>(receive_offsets_.back() + kGap), kUntouched);
        for (int to = 0; to < ranks; ++to)
            for (int64_t i = send_begin(to); i < send_begin(to + 1); ++i)
                send_[static_cast<size_t>(i)] = content(round, own, to, i - send_begin(to));
    }

    void start() {
        pending_ = group_.all_to_all(send_.data(), ranges_of(send_offsets_), receive_.data(),
                                     ranges_of(receive_offsets_), "rows " + std::to_string(round_));
    }

    void finish() {
        pending_.wait();
        require(pending_.done(), "a call that was waited for is done");
        for (int from = 0; from < group_.size(); ++from) {
            const int64_t begin = receive_begin(from);
            for (int64_t i = begin; i < receive_begin(from + 1); ++i)
                require(receive_[static_cast<size_t>(i)] ==
                            content(round_, from, group_.rank(), i - begin),
                        "all_to_all's byte " + std::to_string(i));
        }
        for (size_t i = 0; i < receive_.size(); ++i)
            if (static_cast<int64_t>(i) < receive_offsets_.front() ||
                static_cast<int64_t>(i) >= receive_offsets_.back())
                require(receive_[i] == kUntouched, "all_to_all writes beside its place");
    }

    int64_t sent() const { return send_offsets_.back() - send_offsets_.front(); }
    int64_t received() const { return receive_offsets_.back() - receive_offsets_.front(); }

  private:
    static constexpr unsigned char kUntouched = 0xEE;
    int64_t send_begin(int to) const { return send_offsets_[static_cast<size_t>(to)]; }
    int64_t receive_begin(int from) const { return receive_offsets_[static_cast<size_t>(from)]; }

    Communicator& group_;
    int round_;
    std::vector<int64_t> send_offsets_, receive_offsets_;
    std::vector<unsigned char> send_, receive_;
    Pending pending_;
};

// Conservation: what all send together is what all receive.
void check_conserved(Communicator& group, int64_t sent, int64_t received) {
    std::vector<int64_t> sums{sent, received};
    group.all_reduce(vector_of(sums), Reduce::kSum, "conservation").wait();
    require(sums[0] == sums[1], "bytes are conserved");
}

void check_exchanges(Communicator& group, uint64_t seed, int64_t most) {
    int64_t sent = 0, received = 0;
    for (int round = 0; round < 20; ++round) {
        Exchange exchange(group, seed, round, most);
        exchange.start();
        exchange.finish();
        sent += exchange.sent();
        received += exchange.received();
    }
    check_conserved(group, sent, received);
}

void check_gathers(Communicator& group) {
    const int ranks = group.size();
    std::vector<int64_t> offsets{2};
    for (int i = 0; i < ranks; ++i) offsets.push_back(offsets.back() + (i % 2 == 0 ? 0 : 1000 + i));
    std::vector<unsigned char> data(static_cast<size_t>(offsets.back()));
    const auto own = static_cast<size_t>(group.rank());
    for (int64_t i = offsets[own]; i < offsets[own + 1]; ++i)
        data[static_cast<size_t>(i)] = content(1, group.rank(), 0, i);
    group.all_gather(data.data(), offsets, "weights").wait();
    for (int from = 0; from < ranks; ++from)
        for (int64_t i = offsets[static_cast<size_t>(from)];
             i < offsets[static_cast<size_t>(from) + 1]; ++i)
            require(data[static_cast<size_t>(i)] == content(1, from, 0, i), "all_gather's bytes");

    // Texts of nothing, of little, and of much.
    const auto text = [](int rank) {
        return std::string(rank % 2 == 0 ? static_cast<size_t>(rank) * 70000 : 3,
                           static_cast<char>('a' + rank));
    };
    const std::vector<std::string> texts = gather_texts(group, text(group.rank()), "texts");
    require(static_cast<int>(texts.size()) == ranks, "one text of each rank");
    for (int rank = 0; rank < ranks; ++rank)
        require(texts[static_cast<size_t>(rank)] == text(rank),
                "text of rank " + std::to_string(rank));
}

void check_reduces(Communicator& group) {
    const int ranks = group.size(), own = group.rank();
    std::vector<int64_t> counts(1001);
    for (size_t i = 0; i < counts.size(); ++i)
        counts[i] = (int64_t{1} << 40) + static_cast<int64_t>(i) * (own + 1);
    std::vector<int64_t> greatest = counts;
    group.all_reduce(vector_of(counts), Reduce::kSum, "counts").wait();
    group.all_reduce(vector_of(greatest), Reduce::kMax, "greatest").wait();
    for (size_t i = 0; i < counts.size(); ++i) {
        const auto place = static_cast<int64_t>(i);
        require(counts[i] == ranks * (int64_t{1} << 40) + place * ranks * (ranks + 1) / 2,
                "sums of integers");
        require(greatest[i] == (int64_t{1} << 40) + place * ranks, "the greatest integer");
    }
    // One term each, so the bits are known.
    std::vector<double> terms(static_cast<size_t>(ranks) * 50), most{std::ldexp(-1.0, own)};
    for (size_t i = 0; i < terms.size(); ++i)
        if (static_cast<int>(i) % ranks == own) terms[i] = std::sin(static_cast<double>(i));
    group.all_reduce(vector_of(terms), Reduce::kSum, "terms").wait();
    group.all_reduce(vector_of(most), Reduce::kMax, "most").wait();
    for (size_t i = 0; i < terms.size(); ++i)
        require(terms[i] == std::sin(static_cast<double>(i)), "sums of one term");
    require(most[0] == -1, "the greatest f64");
    // Sums of many terms are the same bits everywhere, whatever their order.
    std::vector<double> many(100);
    for (size_t i = 0; i < many.size(); ++i) many[i] = std::sin(static_cast<double>(i) + own * 0.1);
    group.all_reduce(vector_of(many), Reduce::kSum, "many").wait();
    const std::string bits(reinterpret_cast<const char*>(many.data()),
                           many.size() * sizeof(double));
    for (const std::string& other : gather_texts(group, bits, "bits"))
        require(other == bits, "all ranks have the same bits");
    group.all_reduce({nullptr, Shape{0}, DType::kI64, {}}, Reduce::kSum, "nothing").wait();
}

void check_broadcasts(Communicator& group) {
    for (int root = 0; root < group.size(); ++root) {
        std::vector<unsigned char> data(static_cast<size_t>(1 + 5000 * root));
        if (group.rank() == root)
            for (size_t i = 0; i < data.size(); ++i)
                data[i] = content(2, root, 0, static_cast<int64_t>(i));
        group.broadcast(data.data(), static_cast<int64_t>(data.size()), root, "ids").wait();
        for (size_t i = 0; i < data.size(); ++i)
            require(data[i] == content(2, root, 0, static_cast<int64_t>(i)), "broadcast's bytes");
    }
    group.broadcast(nullptr, 0, 0, "nothing").wait();
}

// collectives SEED CHUNK LOCAL: each of them, in the whole world and in two halves of it.
int collectives(const std::vector<std::string>& arguments) {
    const uint64_t seed = std::stoull(arguments.at(1));
    const auto world = open_mpi_world(std::stoll(arguments.at(2)));
    world->set_timeout(60);
    const auto half = world->split(world->rank() % 2, "half", false);
    require(half->size() == (world->size() + 1 - world->rank() % 2) / 2, "the size of a half");
    require(half->rank() == world->rank() / 2, "the rank in a half");
    const int local = std::stoi(arguments.at(3));  // ranks of a machine
    require(world->local_size() == local && world->local_rank() == world->rank() % local,
            "ranks of this machine");
    for (Communicator* group : {&world->all(), half.get()}) {
        check_exchanges(*group, seed, 3000);
        check_exchanges(*group, seed, 200000);
        check_gathers(*group);
        check_reduces(*group);
        check_broadcasts(*group);
        barrier(*group, "barrier");
    }
    return 0;
}

// many SEED: many calls under way on two groups at once, waited for in another order.
int many(const std::vector<std::string>& arguments) {
    const uint64_t seed = std::stoull(arguments.at(1));
    const auto world = open_mpi_world();
    world->set_timeout(60);
    const auto half = world->split(world->rank() / 2, "half", false);
    constexpr int kCalls = 60;
    std::vector<std::unique_ptr<Exchange>> exchanges;
    std::vector<std::vector<int64_t>> sums;
    std::vector<Pending> pending;
    for (int i = 0; i < kCalls; ++i) {
        exchanges.push_back(std::make_unique<Exchange>(i % 2 == 0 ? world->all() : *half, seed, i,
                                                       i % 5 == 0 ? 100000 : 500));
        sums.push_back({i, world->rank()});
    }
    for (int i = 0; i < kCalls; ++i) {
        exchanges[static_cast<size_t>(i)]->start();
        pending.push_back(
            world->all().all_reduce(vector_of(sums[static_cast<size_t>(i)]), Reduce::kSum, "sum"));
    }
    // Each rank waits in an order of its own.
    for (int i = 0; i < kCalls; ++i) {
        const auto turn = static_cast<size_t>((i * 7 + world->rank() * 13) % kCalls);
        exchanges[turn]->finish();
        pending[turn].wait();
        const int64_t ranks = world->size();
        require(sums[turn][0] == static_cast<int64_t>(turn) * ranks &&
                    sums[turn][1] == ranks * (ranks - 1) / 2,
                "sums of calls under way");
    }
    return 0;
}

// overlap: a call is done without anybody waiting for it.
int overlap(const std::vector<std::string>&) {
    const auto world = open_mpi_world();
    world->set_timeout(60);
    for (int round = 0; round < 3; ++round) {
        Exchange exchange(world->all(), 1, round, 2000000);
        barrier(world->all(), "all are here");
        exchange.start();
        std::vector<int64_t> one{1};
        const Pending pending = world->all().all_reduce(vector_of(one), Reduce::kSum, "sum");
        const Stopwatch clock;
        volatile double work = 1;
        while (!pending.done() && clock.seconds() < 30)
            for (int i = 0; i < 1000; ++i) work = work * 1.0000001;
        require(pending.done(), "done while computing");
        exchange.finish();
    }
    return 0;
}

// speed BYTES ROUNDS: prints microseconds per all_to_all.
int speed(const std::vector<std::string>& arguments) {
    const int64_t bytes = std::stoll(arguments.at(1)), rounds = std::stoll(arguments.at(2));
    const auto world = open_mpi_world();
    std::vector<int64_t> offsets{0};
    for (int i = 0; i < world->size(); ++i)
        offsets.push_back(offsets.back() + (i == world->rank() ? 0 : bytes));
    std::vector<char> send(static_cast<size_t>(offsets.back()), 'x'), receive(send.size());
    barrier(world->all(), "start");
    const Stopwatch clock;
    for (int64_t i = 0; i < rounds; ++i)
        world->all()
            .all_to_all(send.data(), ranges_of(offsets), receive.data(), ranges_of(offsets), "rows")
            .wait();
    if (world->rank() == 0)
        std::cout << clock.seconds() / static_cast<double>(rounds) * 1e6 << " us\n";
    return 0;
}

}  // namespace

Cases collective_cases() {
    return {{"collectives", collectives}, {"many", many}, {"overlap", overlap}, {"speed", speed}};
}

}  // namespace ranks
