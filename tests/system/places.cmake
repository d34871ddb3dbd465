# The table of places, kept from a real aggregator's ledger.
add_test(NAME test_places COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_places.py)
set_tests_properties(test_places PROPERTIES LABELS system COST 3 TIMEOUT 300
                     ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")
