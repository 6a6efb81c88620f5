# The kernels that are bound by memory, over the emulator, compiled so that their accesses to global
# memory are counted: as for ThreadSanitizer, whose run time isn't linked (traffic.hpp).
if(POLYTRAIN_SANITIZE OR NOT POLYTRAIN_EMULATED_CUDA)
    return()
endif()
set(counted_kernels ${cuda_kernel_sources})
list(FILTER counted_kernels INCLUDE REGEX
    "/(activation|activation_rows|adamw|add_parts|rms_norm)\\.cu$")
add_library(cuda_traffic_kernels OBJECT ${counted_kernels})
target_include_directories(cuda_traffic_kernels PRIVATE ${PROJECT_SOURCE_DIR}/src
    ${PROJECT_BINARY_DIR}/generated)
target_link_libraries(cuda_traffic_kernels PRIVATE cuda_emulated)
target_compile_options(cuda_traffic_kernels PRIVATE -fsanitize=thread)

polytrain_test(cuda_traffic)
set_tests_properties(cuda_traffic PROPERTIES LABELS emulated)
set(counted_hosts ${PROJECT_SOURCE_DIR}/kernels/cuda/backend.cpp
    ${PROJECT_SOURCE_DIR}/kernels/cuda/staging.cpp)
set_source_files_properties(${counted_hosts} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
target_sources(test_cuda_traffic PRIVATE ${counted_hosts} $<TARGET_OBJECTS:cuda_traffic_kernels>
    $<TARGET_OBJECTS:cuda_emulator>)
target_include_directories(test_cuda_traffic SYSTEM PRIVATE ${POLYTRAIN_CUDA_INCLUDE})
target_link_libraries(test_cuda_traffic PRIVATE ${POLYTRAIN_BOOST_CONTEXT_LIBRARY})
