# An activation is one header (polysoftsign.hpp) and one word (in the copy of list.hpp made here):
# with these the kernels' own sources are compiled once more. Their objects come before the library
# that has the others, so that its activation kernels are not linked.
set(activations ${PROJECT_SOURCE_DIR}/kernels/common/activations/list.hpp)
set(demo_root ${CMAKE_CURRENT_BINARY_DIR}/demo_activation)
set(demo_folder ${demo_root}/kernels/common/activations)

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${activations})
file(READ ${activations} list)
string(REGEX REPLACE "(ActivationList =[ \n]*TypeList<[^<>]*)>" "\\1, PolySoftsign>" demo_list
    "${list}")
if(demo_list STREQUAL list)
    message(FATAL_ERROR "${activations}: no ActivationList to add a word to")
endif()
file(CONFIGURE OUTPUT ${demo_folder}/list.hpp CONTENT "${demo_list}" @ONLY)

# list.hpp finds this file beside itself.
polytrain_activation_headers(${CMAKE_CURRENT_SOURCE_DIR}/demo_activation ${demo_root}/generated)
file(GENERATE OUTPUT ${demo_folder}/activation_headers.inc CONTENT
"#include \"${PROJECT_BINARY_DIR}/generated/activation_headers.inc\"
#include \"${demo_root}/generated/activation_headers.inc\"
")

set(demo_sources ${PROJECT_SOURCE_DIR}/kernels/reference/activation.cpp
    ${PROJECT_SOURCE_DIR}/kernels/cpu/activation.cpp)
add_library(demo_activation_kernels OBJECT ${demo_sources})
target_include_directories(demo_activation_kernels BEFORE PRIVATE ${demo_root})
target_link_libraries(demo_activation_kernels PRIVATE polytrain_kernels hwy::hwy)
get_target_property(kernel_definitions polytrain_kernels COMPILE_DEFINITIONS)
target_compile_definitions(demo_activation_kernels PRIVATE ${kernel_definitions})
foreach(source IN LISTS demo_sources)
    get_source_file_property(options ${source} TARGET_DIRECTORY polytrain_kernels COMPILE_OPTIONS)
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${options}")
endforeach()

polytrain_test(demo_activation)
target_sources(test_demo_activation PRIVATE ops/test_activation.cpp)
target_link_libraries(test_demo_activation PRIVATE demo_activation_kernels)
