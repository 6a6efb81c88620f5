# The kernels that are bound by memory, over the emulator, compiled so that their accesses to global
# memory are counted: as for ThreadSanitizer, whose run time isn't linked (traffic.hpp).
if(POLYTRAIN_SANITIZE OR NOT POLYTRAIN_EMULATED_CUDA)
    return()
endif()
polytrain_emulated_objects(cuda_traffic_kernels ${counted_kernels})
target_compile_options(cuda_traffic_kernels PRIVATE -fsanitize=thread)

polytrain_test(cuda_traffic)
set_tests_properties(cuda_traffic PROPERTIES LABELS emulated)
target_sources(test_cuda_traffic PRIVATE $<TARGET_OBJECTS:cuda_traffic_kernels>
    $<TARGET_OBJECTS:cuda_emulated_others> $<TARGET_OBJECTS:cuda_emulator>)
target_include_directories(test_cuda_traffic SYSTEM PRIVATE ${POLYTRAIN_CUDA_INCLUDE})
target_link_libraries(test_cuda_traffic PRIVATE polytrain_opener
    ${POLYTRAIN_BOOST_CONTEXT_LIBRARY})
