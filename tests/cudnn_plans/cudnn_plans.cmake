# cuDNN makes plans for GPUs that aren't there, with a stand-in for the driver's library before it.
if(NOT POLYTRAIN_HAS_CUDNN)
    add_test(NAME cudnn_plans COMMAND ${CMAKE_COMMAND} -E echo
        "SKIPPED: no CUDA toolkit with cuDNN 9.8 or later")
    set_tests_properties(cudnn_plans PROPERTIES LABELS gate SKIP_REGULAR_EXPRESSION SKIPPED)
    return()
endif()

add_library(mock_libcuda SHARED cudnn_plans/mock_libcuda.c)
set_target_properties(mock_libcuda PROPERTIES OUTPUT_NAME cuda SUFFIX .so.1
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/mock_libcuda)

polytrain_test(cudnn_plans)
target_link_libraries(test_cudnn_plans PRIVATE polytrain_cudnn)
add_dependencies(test_cudnn_plans mock_libcuda)
# What cuDNN leaves unfreed isn't ours to find.
set_tests_properties(cudnn_plans PROPERTIES LABELS gate
    ENVIRONMENT "ASAN_OPTIONS=detect_leaks=0"
    ENVIRONMENT_MODIFICATION
    "LD_LIBRARY_PATH=path_list_prepend:${CMAKE_CURRENT_BINARY_DIR}/mock_libcuda")
