# The uplink and the collector's loop; included by CMakeLists.txt of this room.
list(APPEND FW_CORE_SOURCES counters.c uplink.c uplink_send.c uplink_answer.c uplink_renew.c rotation.c collector.c collector_keys.c)
if(BOARD_FOLLOWS_TRUST)
  list(APPEND FW_CORE_SOURCES uplink_trust.c trust.c)
else()
  list(APPEND FW_CORE_SOURCES uplink_trust_none.c)
endif()
