# The dependency step by itself; it needs no network and nothing that is built.
add_test(NAME test_deps COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/system/test_deps.py)
set_tests_properties(test_deps PROPERTIES LABELS system)
