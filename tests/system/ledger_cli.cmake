add_test(NAME test_ledger_cli COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_ledger_cli.py)
set_tests_properties(test_ledger_cli PROPERTIES LABELS system ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
