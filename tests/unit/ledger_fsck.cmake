if(HEADRACE_AGGREGATOR)
  set(cli ${CMAKE_SOURCE_DIR}/tools/cli)
  hr_test(test_ledger_fsck_parts LABEL unit
          SOURCES unit/test_ledger_fsck.c ${cli}/archive.c ${cli}/archive_rows.c ${cli}/archive_facts.c ${cli}/archive_audit.c ${cli}/archive_device.c ${cli}/archive_keep.c ${cli}/delivered.c
                  ${cli}/findings.c ${cli}/print.c ${cli}/refold.c ${cli}/cut.c ${cli}/track.c
          DEPENDS agg_core agg_normalize agg_norm_iso agg_telemetry agg_quality hr_feeds_book agg_zoneinfo agg_config agg_sink_kafka agg_verify fw_crypto hr_test_batches hr_test_ledger hr_test_support)
endif()
