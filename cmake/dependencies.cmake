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
    find_package(dnnl REQUIRED)
    find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()
