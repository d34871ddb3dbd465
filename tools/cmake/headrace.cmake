# The compiler contract and the four functions with which every room declares itself.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# A microcontroller: no operating system, and tests are images that run in QEMU.
string(COMPARE EQUAL "${CMAKE_SYSTEM_NAME}" Generic HEADRACE_BARE)
option(HEADRACE_AGGREGATOR "Build the aggregator and the headrace tool (off on gateways)" ON)
option(HEADRACE_FUZZ "Build the fuzzers with libFuzzer (needs clang)" OFF)
option(HEADRACE_TIDY "Run clang-tidy-19 beside the compiler" OFF)
option(HEADRACE_FAULTS "Compile the named failpoints in (test builds; never in a release)" OFF)
set(HEADRACE_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")

add_library(hr_warnings INTERFACE)
target_compile_options(hr_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wconversion -Wsign-conversion -Wdouble-promotion -Wshadow -Wundef
  -Wcast-qual -Wcast-align -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum
  -Wimplicit-fallthrough -Wformat=2 -Wnull-dereference -Wvla -ffunction-sections -fdata-sections)
target_include_directories(hr_warnings INTERFACE ${CMAKE_SOURCE_DIR})
if(HEADRACE_BARE)
  # An assertion names its file from the top of the tree: shorter, and the same wherever the tree lies.
  target_compile_options(hr_warnings INTERFACE -fstack-usage -Wstack-usage=512
    -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)
else()
  # POSIX is asked for once, here; cores don't include POSIX headers (tools/lint/rooms checks that).
  # Time and file offsets have 64 bits on 32-bit ARM too.
  target_compile_definitions(hr_warnings INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE
    _FILE_OFFSET_BITS=64 _TIME_BITS=64)
endif()
if(HEADRACE_FAULTS AND HEADRACE_BARE)
  # Power goes, at a flash operation or at a named place (boards/family/cut.h).
  target_compile_definitions(hr_warnings INTERFACE HR_FAULTS=1)
elseif(HEADRACE_FAULTS)
  target_compile_definitions(hr_warnings INTERFACE HR_FAULTS=1)
  add_library(hr_failpoint STATIC ${CMAKE_SOURCE_DIR}/tests/support/failpoint.c)
  target_compile_definitions(hr_failpoint PRIVATE HR_FAULTS=1 _POSIX_C_SOURCE=200809L)
  target_include_directories(hr_failpoint PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(hr_warnings INTERFACE hr_failpoint)
else()
  target_compile_definitions(hr_warnings INTERFACE HR_FAULTS=0)
endif()

if(HEADRACE_SANITIZE)
  add_compile_options(-fsanitize=${HEADRACE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HEADRACE_SANITIZE})
endif()
if(HEADRACE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

# hr_library(NAME SOURCES a.c ... DEPENDS room ...): one room as a static library. Includes are written from the
# top of the tree ("proto/base/status.h"), so that each include line names the room it reaches into.
function(hr_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE hr_warnings ${ARG_PRIVATE_DEPENDS} PUBLIC ${ARG_DEPENDS})
  if(HEADRACE_BARE) # only what an image is linked with
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  hr_tidy(${name})
endfunction()

# hr_image(NAME): what makes an executable an image for a board: its drivers, its memory, and the map of it.
function(hr_image name)
  target_link_libraries(${name} PRIVATE hr_board)
  target_link_options(${name} PRIVATE -nostartfiles -Wl,--gc-sections -Wl,--fatal-warnings
    -Wl,-Map=$<TARGET_FILE:${name}>.map -L${CMAKE_SOURCE_DIR}
    -T${CMAKE_SOURCE_DIR}/boards/${HEADRACE_BOARD}/memory.ld)
  set_target_properties(${name} PROPERTIES SUFFIX .elf RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin
    LINK_DEPENDS "${CMAKE_SOURCE_DIR}/boards/${HEADRACE_BOARD}/memory.ld;${CMAKE_SOURCE_DIR}/boards/family/sections.ld")
endfunction()

# hr_budget(IMAGE): the build fails when the image takes more flash, RAM or stack than its board has for it.
function(hr_budget name)
  set(tools elf.py size stack indirect.toml)
  list(TRANSFORM tools PREPEND ${CMAKE_SOURCE_DIR}/tools/boards/)
  set(hooks)
  if(HEADRACE_FAULTS)
    set(hooks --hook-bytes 1280)
  endif()
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_SOURCE_DIR}/tools/boards/size ${HEADRACE_BOARD} $<TARGET_FILE:${name}> --check ${hooks}
    COMMAND ${CMAKE_SOURCE_DIR}/tools/boards/stack ${HEADRACE_BOARD} $<TARGET_FILE:${name}> --check VERBATIM)
  set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS
    ${CMAKE_SOURCE_DIR}/boards/${HEADRACE_BOARD}/budget.json ${tools})
endfunction()

# hr_program(NAME SOURCES ... DEPENDS ...): an installed program.
function(hr_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE hr_warnings ${ARG_DEPENDS})
  if(HEADRACE_BARE)
    hr_image(${name})
    return()
  endif()
  target_link_options(${name} PRIVATE -Wl,--gc-sections)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  hr_tidy(${name})
  install(TARGETS ${name})
endfunction()

# hr_test(NAME LABEL unit|fault|sim|system [boards] [tsan] SOURCES ... DEPENDS ... ARGS ...): one cmocka program and
# one ctest entry. Besides its kind a test may be one that runs on every board (unit tests do anyway) or under the
# thread sanitizer. Exit code 77 is "skipped", and only a missing corpus may give it.
function(hr_test name)
  cmake_parse_arguments(ARG "" "" "LABEL;SOURCES;DEPENDS;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE hr_warnings ${ARG_DEPENDS} dep::cmocka)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABEL}" SKIP_RETURN_CODE 77)
endfunction()

# hr_fuzzer(NAME SOURCES ... DEPENDS ... CORPUS dir): a libFuzzer program over LLVMFuzzerTestOneInput. Without
# HEADRACE_FUZZ the same file is linked with tests/fuzz/replay.c and run over the committed corpus as a unit test.
function(hr_fuzzer name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPENDS" ${ARGN})
  if(HEADRACE_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND ${name} -max_total_time=10 -rss_limit_mb=2048 -print_final_stats=1
             ${CMAKE_BINARY_DIR}/fuzz/${name} ${ARG_CORPUS})
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz/${name})
    set_tests_properties(${name} PROPERTIES LABELS fuzz)
  else()
    add_executable(${name} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
    add_test(NAME ${name} COMMAND ${name} ${ARG_CORPUS})
    set_tests_properties(${name} PROPERTIES LABELS unit)
  endif()
  target_link_libraries(${name} PRIVATE hr_warnings ${ARG_DEPENDS})
endfunction()

function(hr_tidy name)
  if(HEADRACE_TIDY)
    set_target_properties(${name} PROPERTIES C_CLANG_TIDY clang-tidy-19)
  endif()
endfunction()
