# Bare-metal ARM Cortex-M3: both QEMU boards. Debian: gcc-arm-none-eabi, libnewlib-arm-none-eabi.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
# newlib's small variant has a struct of its own behind stdio, so everything is compiled for it, libraries too.
set(HEADRACE_TARGET_FLAGS "-mcpu=cortex-m3 -mthumb --specs=nano.specs")
set(CMAKE_C_FLAGS_INIT "${HEADRACE_TARGET_FLAGS} -ffunction-sections -fdata-sections")
