#pragma once
// Device memory: a range of addresses that the host may not touch but while work of the device
// runs.

#include <cstddef>

namespace polytrain::emulator {

// NaN bytes. Null when `bytes` more would be over the device's memory.
void* allocate_device(size_t bytes);
// Ends the process unless it is the beginning of an allocation.
void free_device(void* data);
bool is_device(const void* address);
size_t device_bytes_free();
size_t device_bytes_total();

// While one lives device memory may be read and written.
class DeviceAccess {
  public:
    DeviceAccess();
    ~DeviceAccess();
    DeviceAccess(const DeviceAccess&) = delete;
    DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace polytrain::emulator
