#pragma once
// What the processor can do at most, to hold ops against.

namespace polytrain::bench {

struct CpuPeaks {
    // Bytes read and written by copies of memory, by plain and by streaming stores, 1e9 a second.
    double copy = 0, streaming_copy = 0;
    // Multiply-adds in registers, counted as two, 1e12 a second; of bf16 pairs 0 where there are
    // none.
    double f32 = 0, bf16 = 0;

    double bandwidth() const { return copy > streaming_copy ? copy : streaming_copy; }
};

// By so many threads; the best of several tries. Takes a second or two.
CpuPeaks measure_cpu_peaks(int threads);

}  // namespace polytrain::bench
