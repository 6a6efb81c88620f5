# Tests of the emulator itself. They need none of PolyTrain's host code, so that the build for
# ThreadSanitizer is small.
file(GLOB sources CONFIGURE_DEPENDS emulator/worker/*.cpp)
add_executable(emulator_cases ${sources} $<TARGET_OBJECTS:cuda_emulator>)
target_link_libraries(emulator_cases PRIVATE cuda_emulated)

file(GLOB sources CONFIGURE_DEPENDS emulator/*.cpp)
add_executable(test_emulator ${sources} support/main.cpp support/run_program.cpp
    $<TARGET_OBJECTS:cuda_emulator>)
target_include_directories(test_emulator PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(test_emulator PRIVATE cuda_emulated Catch2::Catch2)
target_compile_definitions(test_emulator PRIVATE POLYTRAIN_PROGRAM=""
    POLYTRAIN_EMULATOR_CASES="$<TARGET_FILE:emulator_cases>")
add_dependencies(test_emulator emulator_cases)
add_test(NAME emulator COMMAND test_emulator --rng-seed time)
set_tests_properties(emulator PROPERTIES LABELS emulated
    ENVIRONMENT "${POLYTRAIN_EMULATED_ENVIRONMENT}")
