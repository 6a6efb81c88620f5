# Compiler options that every target shares.
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1 -fno-omit-frame-pointer")

find_program(POLYTRAIN_CCACHE ccache)
if(POLYTRAIN_CCACHE)
    # Precompiled headers are cached too, with what ccache needs to trust them.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros ${POLYTRAIN_CCACHE})
endif()

add_library(polytrain_options INTERFACE)
target_compile_options(polytrain_options INTERFACE
    -Wall -Wextra -Wshadow -Wnon-virtual-dtor
    $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
    # Contraction would let the compiler choose the bits; kernels write fused products out.
    -ffp-contract=off
    -fstack-protector-strong)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_definitions(polytrain_options INTERFACE _FORTIFY_SOURCE=2 _GLIBCXX_ASSERTIONS)
endif()
if(POLYTRAIN_WERROR)
    # GCC 12 sees overruns inside its own std::string where there are none.
    target_compile_options(polytrain_options INTERFACE -Werror -Wno-error=array-bounds
        $<$<CXX_COMPILER_ID:GNU>:-Wno-error=stringop-overflow;-Wno-error=restrict>)
endif()
if(POLYTRAIN_SANITIZE)
    target_compile_options(polytrain_options INTERFACE
        -fsanitize=${POLYTRAIN_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(polytrain_options INTERFACE -fsanitize=${POLYTRAIN_SANITIZE})
endif()
