# The speed of a device's ops, and scripts/gpu_check.sh itself, tried on the emulator.
add_executable(polytrain_op_bench op_bench/main.cpp op_bench/cases.cpp op_bench/cpu_peaks.cpp)
target_include_directories(polytrain_op_bench PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(polytrain_op_bench PRIVATE polytrain_opener polytrain_kernels
    nlohmann_json::nlohmann_json)
set_target_properties(polytrain_op_bench PROPERTIES ENABLE_EXPORTS ON
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})

if(POLYTRAIN_ONEDNN)
    add_executable(polytrain_determinism_bench op_bench/determinism.cpp)
    target_include_directories(polytrain_determinism_bench PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(polytrain_determinism_bench PRIVATE polytrain_kernels
        nlohmann_json::nlohmann_json dnnl OpenMP::OpenMP_CXX)
    set_target_properties(polytrain_determinism_bench PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endif()

if(POLYTRAIN_EMULATED_CUDA AND POLYTRAIN_MPI AND NOT POLYTRAIN_SANITIZE)
    add_test(NAME gpu_check_emulated COMMAND ${PROJECT_SOURCE_DIR}/scripts/gpu_check.sh --emulated
        --build ${PROJECT_BINARY_DIR} --out ${CMAKE_CURRENT_BINARY_DIR}/gpu_check)
    set_tests_properties(gpu_check_emulated PROPERTIES LABELS slow PROCESSORS 2)
endif()
