foreach(name test_tap_ais test_tap_vectors)
  hr_test(${name} LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}.c ${CMAKE_SOURCE_DIR}/tests/support/tap_listener.c
          DEPENDS fw_tap_ais hr_edge hr_test_support)
endforeach()
hr_test(test_sim_ais LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_sim_ais.c ${CMAKE_SOURCE_DIR}/tools/cli/ais_encode.c
                ${CMAKE_SOURCE_DIR}/tools/cli/sim_fleet.c
        DEPENDS fw_tap_ais hr_test_support m)
hr_test(test_tap_corpus LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_tap_corpus.c
        DEPENDS fw_tap_ais hr_edge hr_test_support)
hr_test(test_sources LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_sources.c support/loopback.c
        DEPENDS fw_port_linux_source fw_tap_ais hr_test_support)
target_compile_definitions(test_sources PRIVATE _XOPEN_SOURCE=700) # posix_openpt
hr_test(test_sim_output LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_sim_output.c support/loopback.c ${CMAKE_SOURCE_DIR}/tools/cli/sim_output.c
        DEPENDS hr_base hr_test_support)
# The same tap as small as a microcontroller has it.
file(GLOB hr_tap_ais_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/firmware/taps/ais/*.c)
hr_test(test_tap_ais_small LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_tap_ais.c ${CMAKE_SOURCE_DIR}/tests/support/tap_listener.c ${hr_tap_ais_sources}
        DEPENDS hr_edge hr_test_support)
target_compile_definitions(test_tap_ais_small PRIVATE TAP_AIS_ASSEMBLIES=3 TAP_AIS_LINE_MAX_BYTES=384)
