#include "cudnn_plans/support.hpp"

using namespace polytrain;
using namespace polytrain::testing;

namespace {

bool takes_forward(DescribedDevice& device, const Sizes& sizes, DType storage = DType::kBf16) {
    try {
        return device.table.choice(op_of<AttentionForward>(sizes, storage)) == "cudnn";
    } catch (const Error& error) {
        CHECK(error.code() == ExitCode::kBadConfig);  // the table has no other
        return false;
    }
}

}  // namespace

TEST_CASE("cudnn plans: what the implementation leaves to others") {
    DescribedDevice device(device_model("sm90"));
    CHECK(takes_forward(device, {1, 256, 4, 2, 72}));
    CHECK_FALSE(takes_forward(device, {1, 256, 4, 2, 64}, DType::kF32));
    CHECK_FALSE(takes_forward(device, {1, 256, 4, 2, 136}));
    CHECK_FALSE(takes_forward(device, {1, 256, 4, 2, 20}));
    CHECK_FALSE(takes_forward(device, {1, 32, 4, 2, 64}));
}

TEST_CASE("cudnn plans: no rows are taken without a plan") {
    DescribedDevice device(device_model("sm90"));
    CHECK(takes_forward(device, {0, 256, 4, 2, 64}));
    CHECK(device.table.scratch_bytes(op_of<AttentionBackward>({0, 256, 4, 2, 64})) == 0);
}

TEST_CASE("cudnn plans: where there is no device nothing is taken") {
    cuda::CudnnContext context;
    CHECK(context.attention(shape_of({1, 256, 4, 2, 64}, false)) == nullptr);
    CHECK(context.attention(shape_of({1, 256, 4, 2, 64}, true)) == nullptr);
}

TEST_CASE("cudnn plans: long sequences are done by fewer heads at once") {
    // 2 heads time^2 bytes = 16 GiB a sequence before sm_100; four heads, aligned calls' least, 2.
    const Sizes sizes{2, 16384, 32, 32, 128};
    DescribedDevice device(device_model("sm90"));
    const auto* calls = device.context.attention(shape_of(sizes, true));
    REQUIRE(calls != nullptr);
    CHECK(calls->sequences == 1);
    CHECK(calls->groups == 4);
    CHECK(calls->plan.scratch_bytes() < size_t{2200} << 20);
    CHECK(device.table.scratch_bytes(op_of<AttentionBackward>(sizes)) ==
          calls->plan.scratch_bytes());
}
