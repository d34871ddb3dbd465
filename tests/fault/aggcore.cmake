if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_test(test_ledger_cuts LABEL fault SOURCES fault/test_ledger_cuts.c
        DEPENDS agg_ledger_sqlite hr_test_ledger hr_test_fault_vfs)
hr_test(test_ledger_kill LABEL fault SOURCES fault/test_ledger_kill.c DEPENDS agg_ledger_sqlite hr_test_ledger)
