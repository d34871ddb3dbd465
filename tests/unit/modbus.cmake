hr_test(test_tap_modbus LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_tap_modbus.c
        DEPENDS fw_tap_modbus hr_edge hr_test_support)
hr_test(test_sunspec LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_sunspec.c
        DEPENDS fw_tap_sunspec hr_edge hr_test_support)

# The definition files themselves and pysunspec2 say what each register means; a build for a gateway runs elsewhere.
if(HEADRACE_AGGREGATOR)
  add_executable(sunspec_dump ${CMAKE_SOURCE_DIR}/tests/support/sunspec_dump.c)
  target_link_libraries(sunspec_dump PRIVATE hr_warnings fw_tap_sunspec hr_test_support)
  set_target_properties(sunspec_dump PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  add_test(NAME test_sunspec_oracle COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/test_sunspec_oracle.py)
  set_tests_properties(test_sunspec_oracle PROPERTIES LABELS unit TIMEOUT 600 SKIP_RETURN_CODE 77
    ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_ORACLES=${CMAKE_BINARY_DIR}/oracles/sunspec")
endif()
