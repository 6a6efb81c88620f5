// The attention of the experiments' configs, planned for the GPUs they may run on. The library
// makes the kernels and tells the scratch they need; whether they compute the right thing only a
// GPU can tell.

#include <filesystem>
#include <set>

#include "config/load.hpp"
#include "cudnn_plans/support.hpp"
#include "kernels/reference/register.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

std::set<Sizes> paper_sizes() {
    OpTable reference;
    register_reference_ops(reference);
    std::set<Sizes> sizes;
    const std::filesystem::path root(POLYTRAIN_SOURCE_DIR "/configs/paper");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (entry.path().extension() != ".json") continue;
        const RunConfig config = load_config(entry.path(), {}, reference.activations());
        const ModelConfig& model = config.model;
        sizes.insert({config.train.micro_batch, model.context, model.heads, model.kv_heads,
                      model.d_model / model.heads});
    }
    return sizes;
}

constexpr size_t kKiB = 1024, kMiB = kKiB * kKiB;

// What backward may keep for a call; before sm_100 that is the scores' gradient.
size_t backward_budget(const DeviceModel& device) {
    return device.sm < 1000 ? 576 * kMiB : 64 * kMiB;
}

template <class Op>
void check_plan(DescribedDevice& device, const DeviceModel& model, const Sizes& sizes) {
    constexpr bool kBackward = std::is_same_v<Op, AttentionBackward>;
    INFO(Op::kName << " on " << model.name << ": batch " << sizes.batch << ", time " << sizes.time
                   << ", heads " << sizes.heads << "/" << sizes.kv_heads << " of "
                   << sizes.head_width);
    const Op op = op_of<Op>(sizes);
    REQUIRE(device.table.choice(op) == "cudnn");
    const cuda::AttentionCalls* calls = device.context.attention(shape_of(sizes, kBackward));
    REQUIRE(calls != nullptr);

    // What the memory plan sets aside is what execute() uses.
    const size_t delta =
        kBackward ? sizeof(float) * static_cast<size_t>(calls->sequences * calls->groups *
                                                        sizes.heads / sizes.kv_heads * sizes.time)
                  : 0;
    const size_t scratch = device.table.scratch_bytes(op);
    CHECK(scratch == calls->plan.scratch_bytes());
    CHECK(scratch >= calls->plan.workspace_bytes() + delta);
    CHECK(scratch <= (kBackward ? backward_budget(model) : 4 * kKiB));

    // Kernels are this generation's own, not an older one's that runs there too.
    const auto names = calls->plan.kernel_names();
    REQUIRE_FALSE(names.empty());
    for (const std::string& name : names) {
        INFO(Op::kName << " " << model.arch() << " engine " << calls->plan.engine() << ", "
                       << calls->sequences << " sequences x " << calls->groups
                       << " groups, workspace " << calls->plan.workspace_bytes() << ", scratch "
                       << scratch << ": " << name);
        CHECK_THAT(name, ContainsSubstring(model.arch() + "_flash_"));
        if (model.sm == 900) CHECK_THAT(name, ContainsSubstring("wgmma"));
    }
}

}  // namespace

TEST_CASE("cudnn plans: attention of every paper config on A100, H100 and B200") {
    const std::set<Sizes> sizes = paper_sizes();
    REQUIRE_FALSE(sizes.empty());
    for (const DeviceModel& model : device_models()) {
        DescribedDevice device(model);
        for (const Sizes& s : sizes) {
            check_plan<AttentionForward>(device, model, s);
            check_plan<AttentionBackward>(device, model, s);
        }
    }
}

TEST_CASE("cudnn plans: backward on B200 is in the deterministic configuration") {
    // dk and dv in one kernel, dq in another; the atomic form is one kernel.
    DescribedDevice device(device_model("sm100"));
    const auto* calls = device.context.attention(shape_of({2, 256, 8, 2, 64}, true));
    REQUIRE(calls != nullptr);
    CHECK(calls->plan.engine() == 5);
    CHECK(calls->plan.kernel_names().size() == 2);
}
