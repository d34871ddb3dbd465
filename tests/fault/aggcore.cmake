if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_test(test_ledger_cuts LABEL fault SOURCES fault/test_ledger_cuts.c
        DEPENDS agg_ledger_sqlite hr_test_ledger hr_test_fault_vfs)
hr_test(test_ledger_kill LABEL fault SOURCES fault/test_ledger_kill.c DEPENDS agg_ledger_sqlite hr_test_ledger)
hr_library(hr_test_pg_faults SOURCES support/pg_proxy.c support/postgres_lab.c
           DEPENDS hr_test_postgres hr_test_ledger PRIVATE_DEPENDS dep::cmocka Threads::Threads)
hr_test(test_postgres_cuts LABEL fault SOURCES fault/test_postgres_cuts.c DEPENDS hr_test_pg_faults)
# Preloaded into a server that is not built with our sanitizers, and calls pwrite by that name.
add_library(enospc_fault SHARED support/enospc_fault.c)
target_link_libraries(enospc_fault PRIVATE hr_warnings)
set_target_properties(enospc_fault PROPERTIES COMPILE_OPTIONS "-U_FILE_OFFSET_BITS;-U_TIME_BITS" LINK_OPTIONS "")
hr_test(test_postgres_backends LABEL fault SOURCES fault/test_postgres_backends.c DEPENDS hr_test_pg_faults
        ARGS $<TARGET_FILE:enospc_fault>)
add_dependencies(test_postgres_backends enospc_fault)
hr_test(test_postgres_writers LABEL fault tsan SOURCES fault/test_postgres_writers.c DEPENDS hr_test_pg_faults)
