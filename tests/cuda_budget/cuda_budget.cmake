# What nvcc makes of the kernels, against kernels/cuda/budgets.json: cuda_budget tests the check
# itself, cuda_gate compiles the CUDA backend and checks all of its kernels.
if(NOT CUDAToolkit_FOUND)
    foreach(test cuda_budget cuda_gate)
        add_test(NAME ${test} COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED: no CUDA toolkit")
        set_tests_properties(${test} PROPERTIES LABELS gate SKIP_REGULAR_EXPRESSION SKIPPED)
    endforeach()
    return()
endif()

add_library(polytrain_budget STATIC cuda_budget/parse.cpp cuda_budget/problems.cpp)
target_include_directories(polytrain_budget PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_include_directories(polytrain_budget SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(polytrain_budget PUBLIC polytrain_host PRIVATE nlohmann_json::nlohmann_json)

add_executable(cuda_budget_check cuda_budget/check/main.cpp)
target_link_libraries(cuda_budget_check PRIVATE polytrain_budget)

file(GLOB sources CONFIGURE_DEPENDS cuda_budget/test_*.cpp)
add_executable(test_cuda_budget ${sources})
target_link_libraries(test_cuda_budget PRIVATE polytrain_test_support polytrain_budget)
target_precompile_headers(test_cuda_budget REUSE_FROM polytrain_test_support)
target_compile_definitions(test_cuda_budget PRIVATE
    POLYTRAIN_BUDGET_CHECK="$<TARGET_FILE:cuda_budget_check>")
add_dependencies(test_cuda_budget cuda_budget_check)
add_test(NAME cuda_budget COMMAND test_cuda_budget --rng-seed time)
set_tests_properties(cuda_budget PROPERTIES LABELS gate)

add_test(NAME cuda_gate COMMAND ${PROJECT_SOURCE_DIR}/scripts/cuda/compile_gate.sh
    --check $<TARGET_FILE:cuda_budget_check> ${PROJECT_SOURCE_DIR}/kernels/cuda/budgets.json
    --program $<TARGET_FILE:polytrain_host> ${PROJECT_BINARY_DIR}/cuda_gate)
set_tests_properties(cuda_gate PROPERTIES LABELS gate PROCESSORS 2 TIMEOUT 3600
    SKIP_REGULAR_EXPRESSION "no nvcc here")
