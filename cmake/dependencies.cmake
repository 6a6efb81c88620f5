# All from the distribution's package manager; nothing is fetched. scripts/install_dependencies.sh
# installs them.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(hwy REQUIRED)
if(POLYTRAIN_TESTS)
    find_package(Catch2 REQUIRED)
endif()

find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
add_library(xxhash INTERFACE)
target_include_directories(xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE_DIR})
target_link_libraries(xxhash INTERFACE ${XXHASH_LIBRARY})

if(POLYTRAIN_ONEDNN)
    # By hand: Debian's dnnl-config.cmake asks for OpenCL's headers, which the CPU part needs not.
    find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp REQUIRED)
    find_library(DNNL_LIBRARY dnnl REQUIRED)
    add_library(dnnl INTERFACE)
    target_include_directories(dnnl SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
    target_link_libraries(dnnl INTERFACE ${DNNL_LIBRARY})
    find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()
