# Telemetry of plants through a real broker, the aggregator killed on the way.
add_test(NAME test_telemetry COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_telemetry.py)
set_tests_properties(test_telemetry PROPERTIES LABELS system COST 6 TIMEOUT 600
                     ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")
