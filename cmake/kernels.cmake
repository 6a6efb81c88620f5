# kernels/: every loop over tensor elements, for every backend.

# Every header in the activations folder but the list itself; list.hpp includes what this writes.
# A function, so that a test can build the kernels from another folder (tests/demo_activation).
function(polytrain_activation_headers folder output)
    file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.hpp)
    list(REMOVE_ITEM headers list.hpp)
    set(text "")
    foreach(header IN LISTS headers)
        string(APPEND text "#include \"${folder}/${header}\"\n")
    endforeach()
    file(GENERATE OUTPUT ${output}/activation_headers.inc CONTENT "${text}")
endfunction()
polytrain_activation_headers(${PROJECT_SOURCE_DIR}/kernels/common/activations
    ${PROJECT_BINARY_DIR}/generated)

file(GLOB_RECURSE kernel_sources CONFIGURE_DEPENDS kernels/reference/*.cpp kernels/cpu/*.cpp
    kernels/common/*.cpp)
if(NOT POLYTRAIN_ONEDNN)
    list(FILTER kernel_sources EXCLUDE REGEX "/cpu/(linear|grouped_linear|products)\\.cpp$")
endif()
add_library(polytrain_kernels STATIC ${kernel_sources})
target_include_directories(polytrain_kernels PUBLIC ${PROJECT_SOURCE_DIR}
    PRIVATE ${PROJECT_BINARY_DIR}/generated)
target_link_libraries(polytrain_kernels PUBLIC polytrain_host PRIVATE hwy::hwy)
# Lanes are members and array elements, which vectors of unknown size can't be; processors with
# SSSE3 but not SSE4 are of 2006 and take the scalar path.
# Sanitized, only the newest and the plainest instruction set: the others are the same source.
target_compile_definitions(polytrain_kernels PRIVATE
    "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128|HWY_RVV$<$<CONFIG:Sanitize>:|HWY_SSE4|HWY_AVX2>)")
if(POLYTRAIN_ONEDNN)
    target_link_libraries(polytrain_kernels PRIVATE dnnl OpenMP::OpenMP_CXX)
    target_compile_definitions(polytrain_kernels PRIVATE POLYTRAIN_ONEDNN)
endif()
# GCC 12 warns wrongly inside Highway's and its own AVX-512 headers. With sanitizers -O3 takes it
# minutes a file, and so do AddressSanitizer's scopes where as much is inlined as here.
set_source_files_properties(${kernel_sources} PROPERTIES COMPILE_OPTIONS
    "$<IF:$<CONFIG:Sanitize>,-O1;-fno-sanitize-address-use-after-scope,-O3>;-Wno-maybe-uninitialized;-Wno-uninitialized")
