foreach(name test_uplink test_uplink_streams test_uplink_renewal)
  hr_test(${name} LABEL sim boards SOURCES sim/${name}.c support/uplink_lab.c support/uplink_lab_steps.c
          DEPENDS fw_core hr_edge hr_wire hr_base hr_test_support)
endforeach()
hr_test(test_uplink_sim LABEL sim boards SOURCES sim/test_uplink_sim.c support/uplink_lab.c support/aggregator_model.c
        DEPENDS fw_core hr_edge hr_wire hr_base hr_test_support)
hr_test(test_small_collector LABEL sim boards SOURCES sim/test_small_collector.c support/uplink_lab.c
        DEPENDS fw_core fw_tap_ais hr_edge hr_wire hr_base hr_test_support)
hr_test(test_parts LABEL sim boards SOURCES sim/test_parts.c DEPENDS fw_net hr_base hr_test_support)
hr_test(test_uplink_trust LABEL sim SOURCES sim/test_uplink_trust.c support/uplink_lab.c support/uplink_lab_steps.c
        DEPENDS fw_core fw_crypto hr_edge hr_wire hr_base hr_test_support)
