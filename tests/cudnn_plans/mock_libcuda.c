// Stands in for the driver's library where there is none, so that cuDNN makes plans for a device
// that isn't there. cuDNN looks these functions up, but calls few: there is no device (cuInit says
// so), and a kernel "loads" without being looked at. For this folder's test alone.

enum { kSuccess = 0, kNoDevice = 100 };

#define FAILS(name)  \
    int name(void); \
    int name(void) { return kNoDevice; }

FAILS(cuInit)
FAILS(cuCtxGetCurrent)
FAILS(cuCtxGetDevice)
FAILS(cuCtxGetLimit)
FAILS(cuCtxPopCurrent)
FAILS(cuCtxPushCurrent)
FAILS(cuDeviceGet)
FAILS(cuDeviceGetCount)
FAILS(cuGetErrorName)
FAILS(cuGetErrorString)
FAILS(cuKernelGetAttribute)
FAILS(cuKernelSetAttribute)
FAILS(cuLaunchCooperativeKernel)
FAILS(cuLaunchKernel)
FAILS(cuLaunchKernelEx)
FAILS(cuLibraryLoadFromFile)
FAILS(cuLinkAddData)
FAILS(cuLinkComplete)
FAILS(cuLinkCreate)
FAILS(cuLinkDestroy)
FAILS(cuOccupancyMaxPotentialClusterSize)
FAILS(cuStreamGetCtx)

int cuDriverGetVersion(int* version);
int cuDriverGetVersion(int* version) {
    *version = 13000;
    return kSuccess;
}

// Any address does as a handle.
static int something;

int cuLibraryLoadData(void** library);
int cuLibraryLoadData(void** library) {
    *library = &something;
    return kSuccess;
}
int cuLibraryGetKernel(void** kernel);
int cuLibraryGetKernel(void** kernel) {
    *kernel = &something;
    return kSuccess;
}
int cuLibraryUnload(void);
int cuLibraryUnload(void) {
    return kSuccess;
}
