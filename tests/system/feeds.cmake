# Replays, a class of tests at a time, and retention; beside each other as all that have a broker of their own.
foreach(class Sqlite Postgresql Files)
  add_test(NAME test_replay_${class} COMMAND /usr/bin/python3 -W ignore::ResourceWarning
                                             ${CMAKE_SOURCE_DIR}/tests/system/test_replay.py ${class})
  set_tests_properties(test_replay_${class} PROPERTIES LABELS system COST 6 TIMEOUT 600
                                                       ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
endforeach()
add_test(NAME test_retention COMMAND /usr/bin/python3 -W ignore::ResourceWarning ${CMAKE_SOURCE_DIR}/tests/system/test_retention.py)
set_tests_properties(test_retention PROPERTIES LABELS system COST 6 TIMEOUT 600
                                               ENVIRONMENT HEADRACE_BIN=${CMAKE_BINARY_DIR}/bin)
