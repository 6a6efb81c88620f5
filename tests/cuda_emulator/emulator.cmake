# The CUDA backend on the CPU: the sources that nvcc compiles, over the emulator and stand-ins of
# CUDA's libraries. Where CUDA's headers or Boost.Context aren't, the tests say that they skip.
find_path(POLYTRAIN_BOOST_CONTEXT boost/context/detail/fcontext.hpp)
find_library(POLYTRAIN_BOOST_CONTEXT_LIBRARY boost_context)
if(NOT POLYTRAIN_CUDA_INCLUDE OR NOT POLYTRAIN_BOOST_CONTEXT OR NOT POLYTRAIN_BOOST_CONTEXT_LIBRARY)
    message(STATUS "No CUDA headers, or no Boost.Context: the emulated CUDA backend is not built")
    return()
endif()
set(POLYTRAIN_EMULATED_CUDA ON)
# ThreadSanitizer sleeps a second at each program's end, for threads that PolyTrain hasn't.
set(POLYTRAIN_EMULATED_ENVIRONMENT TSAN_OPTIONS=atexit_sleep_ms=0)

# The emulator itself. Never under ThreadSanitizer (annotations.hpp says why).
file(GLOB emulator_sources CONFIGURE_DEPENDS cuda_emulator/*.cpp)
add_library(cuda_emulator OBJECT ${emulator_sources})
target_include_directories(cuda_emulator PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_include_directories(cuda_emulator SYSTEM PRIVATE ${POLYTRAIN_CUDA_INCLUDE}
    ${POLYTRAIN_BOOST_CONTEXT})
target_compile_options(cuda_emulator PRIVATE -Wall -Wextra -O2)
set_target_properties(cuda_emulator PROPERTIES POSITION_INDEPENDENT_CODE ON)
if(POLYTRAIN_SANITIZE MATCHES "thread")
    target_compile_definitions(cuda_emulator PRIVATE POLYTRAIN_EMULATOR_TSAN)
elseif(POLYTRAIN_SANITIZE)
    target_compile_options(cuda_emulator PRIVATE -fsanitize=${POLYTRAIN_SANITIZE}
        -fno-sanitize-recover=all)
endif()

# What kernels, and tests of the emulator, are compiled with.
add_library(cuda_emulated INTERFACE)
target_include_directories(cuda_emulated INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests)
target_include_directories(cuda_emulated SYSTEM INTERFACE ${POLYTRAIN_CUDA_INCLUDE})
target_compile_definitions(cuda_emulated INTERFACE POLYTRAIN_CUDA_EMULATOR OMPI_SKIP_MPICXX)
target_compile_options(cuda_emulated INTERFACE -Wno-unknown-pragmas -Wno-unused-function)
target_link_libraries(cuda_emulated INTERFACE polytrain_options fmt::fmt
    ${POLYTRAIN_BOOST_CONTEXT_LIBRARY})

set(sources ${cuda_kernel_sources} ${cuda_host_sources})
list(FILTER sources EXCLUDE REGEX "cudnn")
set_source_files_properties(${cuda_kernel_sources} PROPERTIES LANGUAGE CXX)
# Those whose traffic is counted (cuda_traffic/traffic.cmake) are compiled in another way there.
set(counted_kernels ${sources})
list(FILTER counted_kernels INCLUDE REGEX
    "/(activation|activation_rows|adamw|add_parts|rms_norm)\\.cu$")
list(REMOVE_ITEM sources ${counted_kernels})
function(polytrain_emulated_objects name)
    add_library(${name} OBJECT ${ARGN})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src
        ${PROJECT_BINARY_DIR}/generated)
    target_link_libraries(${name} PRIVATE cuda_emulated)
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()
polytrain_emulated_objects(cuda_emulated_counted ${counted_kernels})
polytrain_emulated_objects(cuda_emulated_others ${sources})
add_library(polytrain_cuda_emulated MODULE $<TARGET_OBJECTS:cuda_emulated_counted>
    $<TARGET_OBJECTS:cuda_emulated_others> $<TARGET_OBJECTS:cuda_emulator>)
target_link_libraries(polytrain_cuda_emulated PRIVATE cuda_emulated)
set_target_properties(polytrain_cuda_emulated PROPERTIES OUTPUT_NAME polytrain_cuda
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/cuda_emulator)
