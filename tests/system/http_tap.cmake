# Polling over HTTPS, against a simulator of market operators (iso_sim.py).
add_test(NAME test_http_tap COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_http_tap.py)
set_tests_properties(test_http_tap PROPERTIES LABELS system TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# What it takes of memory; a sanitizer's own is not compared.
add_test(NAME test_http_memory COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_http_memory.py)
set_tests_properties(test_http_memory PROPERTIES LABELS system TIMEOUT 600
                     ENVIRONMENT "HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin;HEADRACE_SANITIZED=${HEADRACE_SANITIZE}")
# What servers do wrong, a fault a host, as it is seen from outside.
add_test(NAME test_http_faults COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_http_faults.py)
set_tests_properties(test_http_faults PROPERTIES LABELS system TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# Keys from Vault; its server is a stand-in.
add_test(NAME test_http_vault COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_http_vault.py)
set_tests_properties(test_http_vault PROPERTIES LABELS system TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# Windows of the past beside live polls, the collector killed in between.
add_test(NAME test_http_backfill COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_http_backfill.py)
set_tests_properties(test_http_backfill PROPERTIES LABELS system TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# A bearer token for a name and a password.
add_test(NAME test_http_token COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_http_token.py)
set_tests_properties(test_http_token PROPERTIES LABELS system TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
# Operators that answer in pages; `headrace sim iso` serves them.
add_test(NAME test_http_pages COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_http_pages.py)
set_tests_properties(test_http_pages PROPERTIES LABELS system TIMEOUT 600 ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
