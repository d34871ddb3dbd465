# Third-party libraries as dep::<name>: pinned sources built by tools/deps at configure time, and Debian 12 packages.
# A room links dep::<name> and nothing else of a library; DEPENDENCIES.md tells which room may.

set(HEADRACE_TLS_CONTENT_LEN 16384 CACHE STRING
    "Bytes of content in one (D)TLS record of mbedTLS, each way: 16384 carries a gateway's 15 KB envelope whole")
set(HEADRACE_DEPS_CC "" CACHE STRING "Compiler of the pinned libraries (default: that of the build)")

# ---- pinned sources ----

set(_hr_pinned mbedtls libcoap nanopb libyaml cmocka)
if(HEADRACE_BARE)
  set(_hr_pinned nanopb lwip mbedtls_cortex_m libcoap_cortex_m)
elseif(HEADRACE_AGGREGATOR)
  list(APPEND _hr_pinned librdkafka)
endif()
set(_hr_cc ${CMAKE_C_COMPILER})
set(_hr_sanitize "${HEADRACE_SANITIZE}")
if(HEADRACE_DEPS_CC)
  # Two compilers' sanitizer runtimes do not mix, so libraries of another compiler go without.
  set(_hr_cc ${HEADRACE_DEPS_CC})
  set(_hr_sanitize "")
endif()
set(_hr_prefixes ${CMAKE_BINARY_DIR}/deps/prefixes.cmake)
set(_hr_command /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tools/deps build --cc ${_hr_cc} --out ${_hr_prefixes}
    --work ${CMAKE_BINARY_DIR}/deps/src "--sanitize=${_hr_sanitize}")
if(HEADRACE_BARE)
  list(APPEND _hr_command "--target-flags=${HEADRACE_TARGET_FLAGS}")
else()
  list(APPEND _hr_command --setting MBEDTLS_SSL_IN_CONTENT_LEN=${HEADRACE_TLS_CONTENT_LEN}
       --setting MBEDTLS_SSL_OUT_CONTENT_LEN=${HEADRACE_TLS_CONTENT_LEN})
endif()
if(CMAKE_TOOLCHAIN_FILE)
  list(APPEND _hr_command --toolchain-file ${CMAKE_TOOLCHAIN_FILE})
endif()
execute_process(COMMAND ${_hr_command} ${_hr_pinned} RESULT_VARIABLE _hr_result)
if(HEADRACE_BARE AND HEADRACE_FAULTS AND _hr_result EQUAL 0)
  # The other end of a board under test runs on this machine: HEADRACE_DEP_mbedtls and _libcoap, as on a gateway.
  execute_process(COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tools/deps build --cc gcc --out ${_hr_prefixes}.host
                  --work ${CMAKE_BINARY_DIR}/deps/host --setting MBEDTLS_SSL_IN_CONTENT_LEN=${HEADRACE_TLS_CONTENT_LEN}
                  --setting MBEDTLS_SSL_OUT_CONTENT_LEN=${HEADRACE_TLS_CONTENT_LEN} mbedtls libcoap
                  RESULT_VARIABLE _hr_result)
endif()
if(NOT _hr_result EQUAL 0)
  message(FATAL_ERROR "The dependency step stopped; the lines above say why and what to do.")
endif()
include(${_hr_prefixes})
include(${_hr_prefixes}.host OPTIONAL)
# The step runs again by itself when one of its inputs has changed.
file(GLOB_RECURSE _hr_inputs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/cmake/patches/*.patch
     ${CMAKE_SOURCE_DIR}/tools/cmake/config/*)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${CMAKE_SOURCE_DIR}/tools/cmake/deps.lock ${CMAKE_SOURCE_DIR}/tools/deps ${_hr_inputs})

# hr_dep_static(NAME LIBRARY file [INCLUDE dir] [DEPENDS ...]): a static library of a pinned prefix.
function(hr_dep_static name)
  cmake_parse_arguments(ARG "" "LIBRARY;INCLUDE" "DEPENDS" ${ARGN})
  add_library(dep::${name} STATIC IMPORTED GLOBAL)
  set_target_properties(dep::${name} PROPERTIES
    IMPORTED_LOCATION ${ARG_LIBRARY}
    INTERFACE_LINK_LIBRARIES "${ARG_DEPENDS}")
  if(ARG_INCLUDE)
    set_target_properties(dep::${name} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${ARG_INCLUDE})
  endif()
endfunction()

if(HEADRACE_BARE)
  hr_dep_static(lwip LIBRARY ${HEADRACE_DEP_lwip}/lib/liblwip.a INCLUDE ${HEADRACE_DEP_lwip}/include)
  hr_dep_static(mbedcrypto LIBRARY ${HEADRACE_DEP_mbedtls_cortex_m}/lib/libmbedcrypto.a INCLUDE ${HEADRACE_DEP_mbedtls_cortex_m}/include)
  hr_dep_static(mbedx509 LIBRARY ${HEADRACE_DEP_mbedtls_cortex_m}/lib/libmbedx509.a INCLUDE ${HEADRACE_DEP_mbedtls_cortex_m}/include
                DEPENDS dep::mbedcrypto)
  hr_dep_static(mbedtls LIBRARY ${HEADRACE_DEP_mbedtls_cortex_m}/lib/libmbedtls.a INCLUDE ${HEADRACE_DEP_mbedtls_cortex_m}/include
                DEPENDS dep::mbedx509)
  hr_dep_static(coap LIBRARY ${HEADRACE_DEP_libcoap_cortex_m}/lib/libcoap-3.a INCLUDE ${HEADRACE_DEP_libcoap_cortex_m}/include
                DEPENDS "dep::mbedtls;dep::lwip")
  set_target_properties(dep::coap PROPERTIES INTERFACE_COMPILE_DEFINITIONS WITH_LWIP=1)
else()
  find_package(Threads REQUIRED)
  hr_dep_static(mbedcrypto LIBRARY ${HEADRACE_DEP_mbedtls}/lib/libmbedcrypto.a INCLUDE ${HEADRACE_DEP_mbedtls}/include
                DEPENDS Threads::Threads)
  hr_dep_static(mbedx509 LIBRARY ${HEADRACE_DEP_mbedtls}/lib/libmbedx509.a INCLUDE ${HEADRACE_DEP_mbedtls}/include
                DEPENDS dep::mbedcrypto)
  hr_dep_static(mbedtls LIBRARY ${HEADRACE_DEP_mbedtls}/lib/libmbedtls.a INCLUDE ${HEADRACE_DEP_mbedtls}/include
                DEPENDS dep::mbedx509)
  hr_dep_static(coap LIBRARY ${HEADRACE_DEP_libcoap}/lib/libcoap-3.a INCLUDE ${HEADRACE_DEP_libcoap}/include
                DEPENDS dep::mbedtls)
  hr_dep_static(yaml LIBRARY ${HEADRACE_DEP_libyaml}/lib/libyaml.a INCLUDE ${HEADRACE_DEP_libyaml}/include)
  hr_dep_static(cmocka LIBRARY ${HEADRACE_DEP_cmocka}/lib/libcmocka-static.a INCLUDE ${HEADRACE_DEP_cmocka}/include)
endif()

# nanopb's runtime is three small files, so it is compiled here, with the flags and sanitizers of the build.
add_library(hr_dep_nanopb STATIC ${HEADRACE_DEP_nanopb}/pb_common.c ${HEADRACE_DEP_nanopb}/pb_decode.c
            ${HEADRACE_DEP_nanopb}/pb_encode.c)
target_include_directories(hr_dep_nanopb SYSTEM PUBLIC ${HEADRACE_DEP_nanopb})
target_compile_options(hr_dep_nanopb PRIVATE -w -ffunction-sections -fdata-sections)
add_library(dep::nanopb ALIAS hr_dep_nanopb)

# hr_nanopb(TARGET x.proto ...): generates x.pb.h and x.pb.c from each .proto of this folder, with the .options beside
# it, and gives them to TARGET, which includes them as "<folder from the top>/x.pb.h".
function(hr_nanopb target)
  set(out ${CMAKE_BINARY_DIR}/generated)
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  file(MAKE_DIRECTORY ${out}/${folder})
  set(generated)
  foreach(proto ${ARGN})
    cmake_path(GET proto STEM stem)
    set(base ${folder}/${stem})
    add_custom_command(
      OUTPUT ${out}/${base}.pb.c ${out}/${base}.pb.h
      COMMAND ${CMAKE_COMMAND} -E env NANOPB_PB2_TEMP_DIR=${out} /usr/bin/python3
              ${HEADRACE_DEP_nanopb}/generator/nanopb_generator.py --quiet --strip-path -D ${out}
              -I ${CMAKE_SOURCE_DIR} -f ${CMAKE_SOURCE_DIR}/${base}.options ${base}.proto
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
      DEPENDS ${CMAKE_SOURCE_DIR}/${base}.proto ${CMAKE_SOURCE_DIR}/${base}.options
      COMMENT "nanopb ${base}.proto" VERBATIM)
    list(APPEND generated ${out}/${base}.pb.c ${out}/${base}.pb.h)
  endforeach()
  add_library(${target}_pb STATIC ${generated})
  target_compile_options(${target}_pb PRIVATE -w -ffunction-sections -fdata-sections)
  target_include_directories(${target}_pb SYSTEM PUBLIC ${out})
  target_link_libraries(${target}_pb PUBLIC dep::nanopb)
  target_link_libraries(${target} PRIVATE ${target}_pb)
endfunction()

# ---- Debian packages ----

# hr_dep_system(NAME pkg-config-module debian-package): a package of Debian 12, by way of pkg-config.
function(hr_dep_system name module package)
  pkg_check_modules(HR_DEP_${name} QUIET IMPORTED_TARGET GLOBAL ${module})
  if(NOT HR_DEP_${name}_FOUND)
    message(FATAL_ERROR "${module} is missing. On Debian 12: apt-get install ${package} (tools/dev/install-packages "
                        "installs all that the build needs).")
  endif()
  add_library(dep::${name} ALIAS PkgConfig::HR_DEP_${name})
endfunction()

if(HEADRACE_AGGREGATOR)
  find_package(PkgConfig REQUIRED)
  hr_dep_system(sqlite3 sqlite3 libsqlite3-dev)
  hr_dep_system(pq libpq libpq-dev)
  hr_dep_system(crypto libcrypto libssl-dev)
  hr_dep_system(ssl libssl libssl-dev)
  hr_dep_system(microhttpd libmicrohttpd libmicrohttpd-dev)
  hr_dep_system(gnutls gnutls libgnutls28-dev)
  hr_dep_system(p11 libp11 libp11-dev)
  hr_dep_system(p11kit p11-kit-1 libp11-kit-dev)
  hr_dep_system(avro avro-c libavro-dev)
  hr_dep_system(curl libcurl libcurl4-openssl-dev)
  hr_dep_system(zstd libzstd libzstd-dev)
  hr_dep_system(zlib zlib zlib1g-dev)
  hr_dep_system(cjson libcjson libcjson-dev)
  hr_dep_system(expat expat libexpat1-dev)
  hr_dep_static(rdkafka LIBRARY ${HEADRACE_DEP_librdkafka}/lib/librdkafka.a
                INCLUDE ${HEADRACE_DEP_librdkafka}/include
                DEPENDS "dep::curl;dep::ssl;dep::crypto;dep::zstd;dep::zlib;Threads::Threads;m;rt;${CMAKE_DL_LIBS}")
elseif(HEADRACE_TAP_HTTP)
  find_package(PkgConfig REQUIRED)
  hr_dep_system(curl libcurl libcurl4-openssl-dev)
  hr_dep_system(zstd libzstd libzstd-dev)
endif()
