#pragma once

namespace polytrain::emulator {

// Of the worker, where nothing but the results shows the bug.
inline constexpr int kWrongNumbers = 3;

}  // namespace polytrain::emulator
