# libpolytrain_cuda.so: the CUDA backend, opened at run time. By nvcc for devices, where it is found;
# and by the host compiler over the emulator of tests/cuda_emulator, where CUDA's headers are.

# Where the toolkit usually is, beside PATH.
set(POLYTRAIN_CUDA_ROOT "" CACHE PATH "CUDA toolkit (else CUDA_HOME, nvcc's, /usr/local/cuda)")
find_path(POLYTRAIN_CUDA_INCLUDE cuda_runtime_api.h
    HINTS ${POLYTRAIN_CUDA_ROOT}/include $ENV{CUDA_HOME}/include /usr/local/cuda/include)
mark_as_advanced(POLYTRAIN_CUDA_INCLUDE)

file(GLOB cuda_kernel_sources CONFIGURE_DEPENDS kernels/cuda/*.cu)
file(GLOB cuda_host_sources CONFIGURE_DEPENDS kernels/cuda/*.cpp src/comm/nccl/*.cpp)

# What a program that may open the backend links: all of the host's code, by its names.
add_library(polytrain_opener INTERFACE)
target_link_options(polytrain_opener INTERFACE
    "LINKER:--whole-archive,$<TARGET_FILE:polytrain_host>,--no-whole-archive")
target_link_libraries(polytrain_opener INTERFACE polytrain_host ${CMAKE_DL_LIBS})
