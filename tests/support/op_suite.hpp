#pragma once
// The op suite: runs any op contract on any implementation and storage type, with outputs poisoned,
// canaries around every tensor and inputs checked to be untouched, and compares with `reference` in
// f64 on the same (rounded) inputs; reference itself is checked by central differences.

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cpu/backend.hpp"
#include "ops/op_table.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/tolerances.hpp"
#include "tensor/backend_library.hpp"

namespace polytrain::testing {

// A device's backend with its table of ops, optionally forced to one implementation.
struct Machine {
    std::unique_ptr<Backend> backend;
    OpTable ops;
    Stream stream;

    explicit Machine(int threads = 2) : Machine(make_cpu_backend(threads)) {}
    explicit Machine(std::unique_ptr<Backend> device)
        : backend(std::move(device)), stream(*backend) {
        backend->register_ops(ops);
    }
};

// Whether the suite is run on CUDA, by POLYTRAIN_TEST_DEVICE=cuda, in place of the CPU.
inline bool tests_cuda() {
    const char* device = std::getenv("POLYTRAIN_TEST_DEVICE");
    return device != nullptr && std::string_view(device) == "cuda";
}
inline std::unique_ptr<Backend> cuda_backend() {
    std::string why;
    std::unique_ptr<Backend> backend = open_cuda_backend(0, why);
    INFO("the CUDA backend: " << why);
    REQUIRE(backend != nullptr);
    return backend;
}
// What an implementation is tried on: results must not depend on the number of threads.
inline std::vector<std::unique_ptr<Machine>> tested_machines() {
    std::vector<std::unique_ptr<Machine>> machines;
    if (tests_cuda())
        machines.push_back(std::make_unique<Machine>(cuda_backend()));
    else
        for (const int threads : {1, 2, 3}) machines.push_back(std::make_unique<Machine>(threads));
    return machines;
}

using Values = std::map<std::string, std::vector<double>, std::less<>>;

// The element types a test reads and writes as double.
inline double read_element(const Tensor& t, int64_t i) {
    switch (t.dtype) {
        case DType::kF64:
            return t.as<double>()[i];
        case DType::kF32:
            return static_cast<double>(t.as<float>()[i]);
        case DType::kBf16:
            return static_cast<double>(t.as<Bf16>()[i]);
        case DType::kI32:
            return t.as<int32_t>()[i];
        case DType::kI16:
            return t.as<int16_t>()[i];
        case DType::kI64:
            return static_cast<double>(t.as<int64_t>()[i]);
        default:
            return 0;
    }
}
inline void write_element(const Tensor& t, int64_t i, double value) {
    switch (t.dtype) {
        case DType::kF64:
            t.as<double>()[i] = value;
            break;
        case DType::kF32:
            t.as<float>()[i] = static_cast<float>(value);
            break;
        case DType::kBf16:
            t.as<Bf16>()[i] = Bf16(value);
            break;
        case DType::kI32:
            t.as<int32_t>()[i] = static_cast<int32_t>(value);
            break;
        case DType::kI16:
            t.as<int16_t>()[i] = static_cast<int16_t>(value);
            break;
        case DType::kI64:
            t.as<int64_t>()[i] = static_cast<int64_t>(value);
            break;
        default:
            break;
    }
}

// The bytes of one tensor between two canaries.
class Guarded {
  public:
    Guarded(size_t bytes, int fill)
        : bytes_(bytes), memory_(bytes + 2 * kGuard, std::byte{kCanary}) {
        std::memset(data(), fill, bytes);
    }
    void* data() { return memory_.data() + kGuard; }
    // With the canaries.
    std::vector<std::byte>& all() { return memory_; }
    bool intact() const {
        for (size_t i = 0; i < kGuard; ++i)
            if (memory_[i] != std::byte{kCanary} ||
                memory_[kGuard + bytes_ + i] != std::byte{kCanary})
                return false;
        return true;
    }

    static constexpr size_t kGuard = 256;

  private:
    static constexpr unsigned char kCanary = 0xA5;
    size_t bytes_;
    std::vector<std::byte> memory_;
};

inline bool is_input(Role role) {
    return role == Role::kInput || role == Role::kUpdate || role == Role::kSum;
}
inline bool is_result(Role role) {
    return role == Role::kOutput || role == Role::kUpdate || role == Role::kSum;
}

// The bytes of one tensor, with their canaries, on the machine's device.
struct DeviceGuarded {
    Guarded host;
    Buffer device;

    DeviceGuarded(const Machine& machine, size_t bytes) : host(bytes, 0xFF) {  // all NaN
        if (machine.backend->device().type != DeviceType::kCpu)
            device = Buffer(*machine.backend, host.all().size());
    }
    Tensor bytes(void* data) {
        return {data, {static_cast<int64_t>(host.all().size())}, DType::kU8, {}};
    }
    void* upload(const Stream& stream) {
        if (device.data() == nullptr) return host.data();
        stream.upload(bytes(device.data()), host.all().data(), host.all().size());
        return static_cast<std::byte*>(device.data()) + Guarded::kGuard;
    }
    void download(const Stream& stream) {
        if (device.data() != nullptr)
            stream.download(host.all().data(), bytes(device.data()), host.all().size());
    }
};

// Runs `op`, whose tensors have shapes and dtypes but no memory, on `inputs` by tensor name.
// Returns every tensor's values afterwards.
template <class Op>
Values run_op(const Machine& machine, Op op, const Values& inputs) {
    std::vector<std::unique_ptr<DeviceGuarded>> memory;
    Op::tensors([&](std::string_view name, Tensor Op::*member, Role role) {
        Tensor& tensor = op.*member;
        if (role == Role::kScratch) {
            const auto bytes = static_cast<int64_t>(machine.ops.scratch_bytes(op));
            tensor = {nullptr, Shape{bytes}, DType::kU8, machine.backend->device()};
        }
        DeviceGuarded& own =
            *memory.emplace_back(std::make_unique<DeviceGuarded>(machine, tensor.bytes()));
        tensor.data = own.host.data();
        if (is_input(role) && tensor.elements() > 0) {
            const auto values = inputs.find(name);
            INFO(Op::kName << ": input " << name);
            REQUIRE(values != inputs.end());
            REQUIRE(values->second.size() == static_cast<size_t>(tensor.elements()));
            for (int64_t i = 0; i < tensor.elements(); ++i)
                write_element(tensor, i, values->second[static_cast<size_t>(i)]);
        }
        tensor.data = own.upload(machine.stream);
    });
    machine.ops.run(op, machine.stream);
    size_t moved = 0;
    Op::tensors([&](std::string_view, Tensor Op::*member, Role) {
        DeviceGuarded& own = *memory[moved++];
        own.download(machine.stream);
        (op.*member).data = own.host.data();
    });
    Values results;
    size_t index = 0;
    Op::tensors([&](std::string_view name, Tensor Op::*member, Role role) {
        const Tensor& tensor = op.*member;
        INFO(Op::kName << ": tensor " << name);
        CHECK(memory[index++]->host.intact());
        if (role == Role::kScratch) return;
        std::vector<double>& values = results[std::string(name)];
        for (int64_t i = 0; i < tensor.elements(); ++i) values.push_back(read_element(tensor, i));
        if (role == Role::kInput && tensor.elements() > 0) {
            const std::vector<double>& before = inputs.find(name)->second;
            Guarded one(8, 0);
            Tensor copy = tensor;
            copy.data = one.data();
            for (int64_t i = 0; i < tensor.elements(); ++i) {
                const double expected = before[static_cast<size_t>(i)];
                write_element(copy, 0, expected);
                const double now = values[static_cast<size_t>(i)];
                if (read_element(copy, 0) != now && !(std::isnan(expected) && std::isnan(now)))
                    FAIL("input " << name << " was changed at " << i);
            }
        }
    });
    return results;
}

// Inputs as the tensors of `op` hold them.
template <class Op>
Values rounded(const Op& op, const Values& inputs) {
    Values result = inputs;
    Op::tensors([&](std::string_view name, Tensor Op::*member, Role) {
        const auto values = result.find(name);
        if (values == result.end()) return;
        Guarded one(8, 0);
        Tensor element{one.data(), Shape{1}, (op.*member).dtype, {}};
        for (double& value : values->second) {
            write_element(element, 0, value);
            value = read_element(element, 0);
        }
    });
    return result;
}

// The largest difference of a result, over the largest magnitude of what was expected, or over
// `least` if that is larger.
inline double relative_difference(const std::vector<double>& expected,
                                  const std::vector<double>& actual, double least = 1e-30) {
    double difference = 0, size = least;
    for (size_t i = 0; i < expected.size(); ++i) {
        if (!std::isfinite(actual[i])) return std::numeric_limits<double>::infinity();
        difference = std::max(difference, std::fabs(actual[i] - expected[i]));
        size = std::max(size, std::fabs(expected[i]));
    }
    return difference / size;
}

// What an error is measured against where a result is next to nothing. Inputs are of size 1: where
// terms of that size cancel (the norm of a row of one element has next to no gradient), the error
// is theirs, not the rest's; and on its way a sum over N rows of them is of size sqrt(N).
template <class Op>
double term_size(const Op& op, Role role) {
    int64_t rows = 1;
    if (role == Role::kSum)
        Op::tensors([&](std::string_view, Tensor Op::*member, Role of) {
            const Shape& shape = (op.*member).shape;
            if (of == Role::kInput && shape.rank() > 1) rows = std::max(rows, shape[0]);
        });
    return 0.25 * std::sqrt(static_cast<double>(rows));
}

// `make(storage)` builds the op for a storage type. Compares every implementation of the tested
// device that takes f32 or bf16 with reference in f64, and its bits with those of other numbers of
// threads.
template <class Op, class Make>
void check_op(const Make& make, const Values& inputs) {
    const std::string base(Op::kName.substr(0, Op::kName.find('.')));
    Machine exact;
    exact.ops.force(base, "reference");
    const auto machines = tested_machines();
    for (DType storage : {DType::kF32, DType::kBf16}) {
        const Op op = make(storage);
        const Values same = rounded(op, inputs);
        const Values expected = run_op(exact, make(DType::kF64), same);
        for (const std::string& name : machines[0]->ops.implementations(Op::kName)) {
            Values actual;
            bool applies = true;
            for (const auto& machine : machines) {
                machine->ops.force(base, name);
                Values results;
                try {
                    results = run_op(*machine, op, same);
                } catch (const Error& error) {
                    REQUIRE(error.code() == ExitCode::kBadConfig);  // "does not apply"
                    applies = false;
                    break;
                }
                if (machine == machines[0]) {
                    actual = results;
                } else {
                    INFO(Op::kName << " by " << name << " on " << machine->backend->description());
                    CHECK(results == actual);
                }
            }
            if (!applies) continue;
            Op::tensors([&](std::string_view tensor, Tensor Op::*member, Role role) {
                if (!is_result(role)) return;
                INFO(Op::kName << " by " << name << " in " << name_of(storage) << ": " << tensor
                               << " " << (op.*member).shape.text());
                CHECK(relative_difference(expected.find(tensor)->second,
                                          actual.find(tensor)->second,
                                          term_size(op, role)) <= tolerance(Op::kName, storage));
            });
        }
    }
}

// Calls f(machine) for every implementation of Op on the tested device; the machine takes it for
// the others too. What a kernel of a device can't do, to refuse bad numbers, is tagged [cpu].
template <class Op, class... Others, class F>
void for_implementations(F&& f) {
    const auto base = [](std::string_view name) {
        return std::string(name.substr(0, name.find('.')));
    };
    for (const auto& machine : tested_machines())
        for (const std::string& name : machine->ops.implementations(Op::kName)) {
            machine->ops.force(base(Op::kName), name);
            (machine->ops.force(base(Others::kName), name), ...);
            INFO(Op::kName << " by " << name << " on " << machine->backend->description());
            f(*machine);
        }
}

// Central differences of sum(weights * result) by `input`, against `gradient`; f64.
template <class Op>
void check_gradient(const Op& op, const Values& inputs, const std::string& input,
                    const std::map<std::string, std::vector<double>>& weights,
                    const std::vector<double>& gradient) {
    Machine machine(1);
    const auto loss = [&](const Values& at) {
        const Values results = run_op(machine, op, at);
        double sum = 0;
        for (const auto& [name, weight] : weights)
            for (size_t i = 0; i < weight.size(); ++i)
                sum += weight[i] * results.find(name)->second[i];
        return sum;
    };
    std::vector<double> numeric;
    for (size_t i = 0; i < inputs.at(input).size(); ++i) {
        Values moved = inputs;
        const double h = 1e-5 * std::max(1.0, std::fabs(moved[input][i]));
        moved[input][i] += h;
        const double up = loss(moved);
        moved[input][i] -= 2 * h;
        numeric.push_back((up - loss(moved)) / (2 * h));
    }
    INFO(Op::kName << " by " << input << ": central differences");
    // Where a gradient is next to nothing (a norm over one element) rounding is all there is.
    CHECK(relative_difference(numeric, gradient, 1e-2) < 1e-7);
}

// A tensor's description, for make().
inline Tensor described(Shape shape, DType dtype) {
    return {nullptr, shape, dtype, {}};
}

}  // namespace polytrain::testing
