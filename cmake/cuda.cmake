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

option(POLYTRAIN_CUDA "libpolytrain_cuda.so, by nvcc with cuBLAS, cuDNN and NCCL (preset cuda)" OFF)
if(POLYTRAIN_CUDA)
    find_program(POLYTRAIN_NVCC nvcc
        HINTS ${POLYTRAIN_CUDA_ROOT}/bin $ENV{CUDA_HOME}/bin /usr/local/cuda/bin REQUIRED)
    set(CMAKE_CUDA_COMPILER ${POLYTRAIN_NVCC})
    # Code for A100, H100 and B200; others from A100 on compile the PTX when they load it.
    set(CMAKE_CUDA_ARCHITECTURES 80 90a-real 100-real CACHE STRING "What nvcc compiles for")
    set(CMAKE_CUDA_STANDARD 20)
    enable_language(CUDA)
    # CMake 3.25 doesn't know that nvcc has it.
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
        set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
        set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    find_package(CUDAToolkit REQUIRED)
    get_filename_component(cuda_root ${POLYTRAIN_CUDA_INCLUDE} DIRECTORY)
    foreach(library cudnn nccl)
        find_library(POLYTRAIN_${library} ${library} REQUIRED
            HINTS ${CUDAToolkit_LIBRARY_DIR} ${cuda_root}/lib64 ${cuda_root}/lib)
    endforeach()
    add_library(polytrain_cuda MODULE ${cuda_kernel_sources} ${cuda_host_sources})
    target_include_directories(polytrain_cuda PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src
        ${PROJECT_BINARY_DIR}/generated)
    target_include_directories(polytrain_cuda SYSTEM PRIVATE ${POLYTRAIN_CUDA_INCLUDE})
    # Under nvcc fmt 9 does without constexpr unless it is told to have it, and then its formats fail.
    target_compile_options(polytrain_cuda PRIVATE
        $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-DFMT_USE_CONSTEXPR=1>)
    target_compile_definitions(polytrain_cuda PRIVATE OMPI_SKIP_MPICXX)
    target_link_libraries(polytrain_cuda PRIVATE CUDA::cudart_static CUDA::cublas CUDA::cublasLt
        ${POLYTRAIN_cudnn} ${POLYTRAIN_nccl} fmt::fmt)
    # What CUDA's libraries are found by on machines whose loader doesn't know them.
    set_target_properties(polytrain_cuda PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
        BUILD_RPATH "${CUDAToolkit_LIBRARY_DIR};${cuda_root}/lib")
endif()
