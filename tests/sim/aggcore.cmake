if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_test(test_admit_sim LABEL sim tsan SOURCES sim/test_admit_sim.c DEPENDS hr_test_core)
hr_test(test_publish_sim LABEL sim SOURCES sim/test_publish_sim.c support/publish_world.c support/publish_world_steps.c
        support/publish_truth.c support/sink_model.c support/observed.c support/temp_folder.c
        DEPENDS agg_core agg_normalize agg_schema agg_ledger_sqlite hr_test_batches)
hr_test(test_rotation_sim LABEL sim SOURCES sim/test_rotation_sim.c support/rotation_lab.c support/rotation_check.c support/signature_memo.c
        support/uplink_lab.c support/keys_model.c
        DEPENDS hr_test_core fw_core fw_crypto hr_edge hr_wire hr_base hr_test_support)
