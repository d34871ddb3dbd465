foreach(part Corpus Faults)
  add_test(NAME test_tap_probe_${part} COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_tap_probe.py ${part})
  set_tests_properties(test_tap_probe_${part} PROPERTIES LABELS system TIMEOUT 300 SKIP_RETURN_CODE 77
    ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_ORACLES=${CMAKE_BINARY_DIR}/oracles/modbus")
endforeach()
add_test(NAME test_sim_sunspec COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_sim_sunspec.py)
set_tests_properties(test_sim_sunspec PROPERTIES LABELS system TIMEOUT 300 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# A plant through the whole pipeline.
if(HEADRACE_AGGREGATOR)
  foreach(part Pipeline Faults)
    add_test(NAME test_modbus_tap_${part}
             COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_modbus_tap.py ${part})
    set_tests_properties(test_modbus_tap_${part} PROPERTIES LABELS system COST 5 TIMEOUT 600
                                                            ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
  endforeach()
endif()
add_test(NAME test_sunspec_models COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_sunspec_models.py)
set_tests_properties(test_sunspec_models PROPERTIES LABELS system TIMEOUT 300 SKIP_RETURN_CODE 77
  ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_ORACLES=${CMAKE_BINARY_DIR}/oracles/modbus")
