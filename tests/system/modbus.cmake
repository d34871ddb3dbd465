foreach(part Corpus Faults)
  add_test(NAME test_tap_probe_${part} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_tap_probe.py ${part})
  set_tests_properties(test_tap_probe_${part} PROPERTIES LABELS system TIMEOUT 300 SKIP_RETURN_CODE 77
    ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_ORACLES=${CMAKE_BINARY_DIR}/oracles/modbus")
endforeach()
add_test(NAME test_sim_sunspec COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_sim_sunspec.py)
set_tests_properties(test_sim_sunspec PROPERTIES LABELS system TIMEOUT 300 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
add_test(NAME test_sunspec_models COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_sunspec_models.py)
set_tests_properties(test_sunspec_models PROPERTIES LABELS system TIMEOUT 300 SKIP_RETURN_CODE 77
  ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_ORACLES=${CMAKE_BINARY_DIR}/oracles/modbus")
