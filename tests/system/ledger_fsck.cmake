# fsck, export and rebuild on a real aggregator's ledger and a real broker's topics; one broker for all of it.
add_test(NAME test_ledger_fsck
         COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_ledger_fsck.py)
set_tests_properties(test_ledger_fsck PROPERTIES LABELS system COST 8 TIMEOUT 600
                     ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_DEADLINE_S=180")
