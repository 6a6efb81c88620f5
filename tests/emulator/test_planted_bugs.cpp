// Each planted bug is found, by the layer that is to find it, and nothing is where there is none.
// A found bug ends the process, so cases run in one of their own (worker/).

#include <array>

#include "cuda_emulator/execution.hpp"
#include "emulator/worker/exit_codes.hpp"
#include "support/catch.hpp"
#include "support/run_program.hpp"

using namespace polytrain::testing;
using polytrain::emulator::kExitCode;
using polytrain::emulator::kWrongNumbers;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true, kAddressSanitizer = false;
#elif defined(__SANITIZE_ADDRESS__)
constexpr bool kThreadSanitizer = false, kAddressSanitizer = true;
#else
constexpr bool kThreadSanitizer = false, kAddressSanitizer = false;
#endif
constexpr int kThreadSanitizerExit = 66, kSegmentationFault = 128 + 11;

// Whether results are wrong: never, for some of 20 seeds in lazy mode alone, for each seed.
enum class Numbers { kRight, kWrongIfLazy, kWrong };
// What shows a bug. Several may; a race is looked for in a build with ThreadSanitizer alone, and
// `by_address` is what AddressSanitizer or UndefinedBehaviorSanitizer say of it.
struct Planted {
    const char* name;
    Numbers numbers = Numbers::kRight;
    bool is_race = false;
    const char* message = "";  // of the emulator itself
    const char* by_address = "";
};
constexpr auto kRight = Numbers::kRight, kLazy = Numbers::kWrongIfLazy, kWrong = Numbers::kWrong;
constexpr Planted kPlanted[] = {
    {"missing_barrier", kWrong, true},
    {"reuse_without_barrier", kWrong, true},
    {"broadcast_without_barrier", kWrong, true},
    {"divergent_barrier", kRight, false, "divergent __syncthreads"},
    {"barrier_after_exit", kRight, false, "32 of 64 have exited"},
    {"cross_block_sum", kRight, true},
    {"cross_block_sum_before_barrier", kRight, true},
    {"missing_syncwarp_before_ldmatrix", kRight, true},
    {"missing_syncwarp", kWrong, true},
    {"syncwarp_of_too_few", kWrong, true},
    {"full_mask_where_lanes_exit", kRight, false, "a shuffle at "},
    {"full_mask_in_a_branch", kRight, false, "waits in a shuffle at "},
    {"shuffles_at_two_places", kRight, false, "lanes of a warp meet at different calls"},
    {"lane_outside_its_mask", kRight, false, "is not in its own mask 0000ffff"},
    {"missing_copy_wait", kWrong, true},
    {"copy_wait_without_barrier", kWrong, true},
    {"copy_wait_one_group_too_few", kWrong, true},
    {"copy_never_waited_for", kRight, false, "cp.async that it never waited for"},
    {"misaligned_copy", kRight, false, "misaligned"},
    {"shared_out_of_bounds", kRight, false, "", "use-after-poison"},
    {"device_out_of_bounds", kRight, false, "", "use-after-poison"},
    {"misaligned_pack", kRight, false, "an access of 16 bytes at "},
    {"misaligned_float4", kRight, false, "", "misaligned address"},
    {"read_before_written", kWrong, false},
    {"host_pointer", kRight, false, "isn't device memory"},
    {"use_after_free", kRight, false, "isn't device memory"},
    {"missing_wait_event", kLazy, true},
    {"missing_wait_event_of_blocks", kLazy, true},
    {"event_recorded_too_early", kLazy, true},
    {"event_waited_for_too_early", kLazy, true},
    {"event_recorded_again", kLazy, true},
    {"host_reads_early", kLazy, true},
    {"host_overwrites_pinned", kLazy, true},
    {"waits_for_the_wrong_stream", kLazy, true},
    {"default_stream", kRight, false, "the default stream is used"},
};

ProgramResult run_case(const std::string& name, const std::string& rest) {
    return run_shell("'" POLYTRAIN_EMULATOR_CASES "' " + name + " " + rest);
}

}  // namespace

TEST_CASE("emulator: no alarm where no bug is, for 20 seeds") {
    for (const std::string mode : {"eager", "lazy", "ordered"})
        for (const Planted& planted : kPlanted) {
            const bool all = mode != "ordered";
            const ProgramResult result =
                run_case(planted.name, all ? "clean 1 20 " + mode : "clean 1 1 ordered");
            INFO(planted.name << " " << mode << ": " << result.out << result.err);
            CHECK(result.exit_code == 0);
        }
}

TEST_CASE("emulator: what it says of planted bugs itself") {
    for (const Planted& planted : kPlanted) {
        if (*planted.message == '\0') continue;
        for (const char* mode : {"eager", "lazy"}) {
            const ProgramResult result = run_case(planted.name, std::string("bug 1 20 ") + mode);
            INFO(planted.name << " " << mode << ": " << result.out << result.err);
            CHECK(result.exit_code == kExitCode);
            CHECK_THAT(result.err, ContainsSubstring(planted.message));
        }
    }
}

TEST_CASE("emulator: planted bugs that wrong numbers show") {
    if (kThreadSanitizer) {
        WARN("skipped: ThreadSanitizer ends these before their numbers are seen");
        return;
    }
    for (const Planted& planted : kPlanted) {
        if (planted.numbers == kRight) continue;
        const ProgramResult eager = run_case(planted.name, "bug 1 20 eager");
        INFO(planted.name << ": " << eager.out << eager.err);
        CHECK(eager.exit_code == (planted.numbers == kWrong ? kWrongNumbers : 0));
        if (planted.numbers == kWrong)
            CHECK_THAT(eager.out, ContainsSubstring("wrong numbers in 20 of 20"));
        const ProgramResult lazy = run_case(planted.name, "bug 1 20 lazy");
        INFO("lazy: " << lazy.out << lazy.err);
        CHECK(lazy.exit_code == kWrongNumbers);
    }
}

TEST_CASE("emulator: planted races") {
    if (!kThreadSanitizer) {
        WARN("skipped: this build has no ThreadSanitizer (preset tsan)");
        return;
    }
    for (const Planted& planted : kPlanted) {
        if (!planted.is_race) continue;
        for (const char* mode : {"eager", "lazy"}) {
            const ProgramResult result = run_case(planted.name, std::string("bug 1 1 ") + mode);
            INFO(planted.name << " " << mode << ": " << result.out << result.err);
            CHECK(result.exit_code == kThreadSanitizerExit);
            CHECK_THAT(result.err, ContainsSubstring("ThreadSanitizer: data race"));
        }
    }
}

TEST_CASE("emulator: planted bad addresses") {
    if (!kAddressSanitizer) {
        WARN("skipped: this build has no AddressSanitizer (preset asan)");
        return;
    }
    for (const Planted& planted : kPlanted) {
        if (*planted.by_address == '\0') continue;
        const ProgramResult result = run_case(planted.name, "bug 1 1 eager");
        INFO(planted.name << ": " << result.out << result.err);
        CHECK(result.exit_code != 0);
        CHECK_THAT(result.err, ContainsSubstring(planted.by_address));
    }
}

TEST_CASE("emulator: the host can't touch device memory") {
    CHECK(run_case("host_touches_device", "clean 1 1 eager").exit_code == 0);
    const ProgramResult result = run_case("host_touches_device", "bug 1 1 eager");
    INFO(result.out << result.err);
    if (kThreadSanitizer || kAddressSanitizer)
        CHECK_THAT(result.err, ContainsSubstring("Sanitizer: SEGV"));
    else
        CHECK(result.exit_code == kSegmentationFault);
}
