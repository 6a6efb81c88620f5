# cuDNN, where there is CUDA: POLYTRAIN_HAS_CUDNN, and then polytrain_cudnn, attention through it.
find_package(CUDAToolkit QUIET)
find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_library(CUDNN_LIBRARY cudnn HINTS ${CUDAToolkit_LIBRARY_DIR})
set(POLYTRAIN_HAS_CUDNN OFF)
if(CUDAToolkit_FOUND AND CUDNN_INCLUDE_DIR AND CUDNN_LIBRARY)
    # Devices can be described, not only found, from 9.8 on.
    file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h cudnn_version
        REGEX "define CUDNN_M(AJOR|INOR)")
    string(REGEX REPLACE "[^0-9;]" "" cudnn_version "${cudnn_version}")
    string(REPLACE ";" "." cudnn_version "${cudnn_version}")
    if(cudnn_version VERSION_GREATER_EQUAL 9.8)
        set(POLYTRAIN_HAS_CUDNN ON)
    endif()
endif()

if(POLYTRAIN_HAS_CUDNN)
    add_library(polytrain_cudnn STATIC
        kernels/cuda/attention_cudnn.cpp kernels/cuda/attention_cudnn_graph.cpp
        kernels/cuda/attention_cudnn_plan.cpp kernels/cuda/cudnn_context.cpp
        kernels/cuda/cudnn_graph.cpp)
    set_target_properties(polytrain_cudnn PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_include_directories(polytrain_cudnn PUBLIC ${PROJECT_SOURCE_DIR})
    target_include_directories(polytrain_cudnn SYSTEM PUBLIC
        ${CUDNN_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
    target_link_libraries(polytrain_cudnn PUBLIC polytrain_host ${CUDNN_LIBRARY})
endif()
