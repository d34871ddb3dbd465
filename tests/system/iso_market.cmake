# Seven market operators at 10,000 prices a minute each, from their simulator to Kafka; a day of each with HEADRACE_LONG=1.
set(timeout_s 600)
if("$ENV{HEADRACE_LONG}" STREQUAL "1")
  set(timeout_s 5400)
endif()
add_test(NAME test_iso_market COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_iso_market.py)
set_tests_properties(test_iso_market PROPERTIES LABELS system COST 6 TIMEOUT ${timeout_s}
                                                ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
